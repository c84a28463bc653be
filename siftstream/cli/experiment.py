"""`siftstream experiment`: which strategy saves labels on your data, before anybody annotates."""

import asyncio
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from siftstream.cli.options import Config
from siftstream.schemas.errors import ConfigError
from siftstream.settings import Settings, load_settings

if TYPE_CHECKING:
    from siftstream.experiment.plan import Plan
    from siftstream.experiment.preparing import Asked
    from siftstream.experiment.running import Rules, Run
    from siftstream.experiment.savings import Curves

INTERRUPTED = 130
Say = Callable[[str], None]


def experiment(
    data: Annotated[
        str,
        typer.Option(
            help="Labelled samples: a folder of class folders, a zip of them (or a folder in it), a .csv or"
            " .jsonl file (column label, and uri, path or text), an .npz of features and classes, or digits:"
            " scikit-learn's."
        ),
    ],
    config: Config = None,
    strategies: Annotated[
        str,
        typer.Option(
            help="Names with commas, start+name for another choice of the first labels, or mappings of name"
            " and parameters; random is always among them."
        ),
    ] = "margin,two_stage",
    mode: Annotated[
        Literal["head", "full"] | None,
        typer.Option(help="What is trained; without it as the configuration says."),
    ] = None,
    start: Annotated[int, typer.Option(min=2, help="First labels.")] = 20,
    round_: Annotated[int, typer.Option("--round", min=1, help="Labels asked for at a time.")] = 20,
    labels: Annotated[int, typer.Option(min=2, help="Labels at the end.")] = 200,
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions; intervals are over them.")] = 5,
    reach: Annotated[int, typer.Option(min=1, help="Random goes on to so many times --labels.")] = 2,
    test: Annotated[
        str, typer.Option(help="What only tests: a share, drawn by each seed, or a path.")
    ] = "0.2",
    pool: Annotated[
        int | None, typer.Option(min=2, help="Samples to choose from at most; without it all.")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.onnx|VERSION", help="What stays frozen in mode head; `live` is a version."
        ),
    ] = None,
    label_column: Annotated[str, typer.Option(help="Column of a table that holds the class.")] = "label",
    text_column: Annotated[str, typer.Option(help="Column of a table that holds the text.")] = "text",
    jobs: Annotated[int, typer.Option(min=1, help="Trainings at once, a process of one thread each.")] = 2,
    out: Annotated[
        Path, typer.Option(help="Folder for curves.json, curves.png and the journal, by which it goes on.")
    ] = Path("experiment"),
) -> None:
    """Find out on labelled data which strategy saves labels, before anybody annotates."""
    from siftstream.cli.push import sigterm_as_ctrl_c
    from siftstream.experiment.plan import plans
    from siftstream.experiment.preparing import Asked
    from siftstream.experiment.result import shown, written
    from siftstream.experiment.running import Rules

    console = Console(highlight=False, soft_wrap=True)

    def say(line: str) -> None:
        console.print(line, style="dim", markup=False)

    rules = Rules(start, round_, max(labels, start), reach)
    settings = load_settings(config)
    onnx = None if encoder is None else _encoder(encoder, settings)
    asked = Asked(data, test, pool, label_column, text_column, mode, onnx, jobs)
    chosen = {plan.name: plan for plan in plans(f"random, {strategies}")}
    with sigterm_as_ctrl_c():
        try:
            curves = _curves(asked, settings, list(chosen.values()), seeds, rules, out, say)
        except KeyboardInterrupt:
            say("stopped; the same command goes on from here")
            raise typer.Exit(INTERRUPTED) from None
    title = Path(data).name
    console.print(shown(title, curves, rules), markup=False)
    for file in written(out, title, curves, rules):
        say(f"written: {file}")


def _curves(
    asked: "Asked", settings: Settings, plans: "list[Plan]", seeds: int, rules: "Rules", out: Path, say: Say
) -> "dict[str, Curves]":
    """Read the data, take all steps that the journal in `out` lacks, and return the curves."""
    from siftstream.experiment.journal import Journal
    from siftstream.experiment.preparing import prepared
    from siftstream.experiment.running import curves_of, run_all, runs_of, steps_of

    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="siftstream-experiment-") as name:
        folder = Path(name)
        material = prepared(asked, settings, folder, say)
        split = material.split(0)
        runs = runs_of(plans, seeds, rules, material.digest())
        total = sum(steps_of(run, rules, len(split.stream)) for run in runs)
        say(
            f"{len(split.stream):,} samples of {len(material.classes)} classes to choose from,"
            f" {len(split.test):,} to test on; {len(plans)} strategies, {seeds} seeds: {total} trainings"
            f" in mode {material.train.mode}"
        )
        material.write(folder)
        heard = _Heard(say, total)
        found = asyncio.run(run_all(folder, runs, rules, asked.jobs, Journal(out / "journal.jsonl"), heard))
    return curves_of(found)


def _encoder(word: str, settings: Settings) -> bytes:
    """Return the ONNX of a file, or of a version in the pipeline's store."""
    if word.endswith(".onnx"):
        try:
            return Path(word).read_bytes()
        except OSError as error:
            raise ConfigError(f"--encoder {word}: cannot be read: {error.strerror}") from error
    from siftstream.cli.versions import named, versions_of
    from siftstream.models.artifacts import ArtifactStore

    version = named(versions_of(settings), word, settings.model.line)
    if version.encoder is None:
        raise ConfigError(f"--encoder {word}: the version has no encoder; it is {version.status}")
    return ArtifactStore.open(settings.model.artifacts).get(version.encoder)


class _Heard:
    """A line a training: what it gave, how many are done, how long the others may take."""

    def __init__(self, say: Say, total: int) -> None:
        self._say, self._total = say, total
        self._done, self._began, self._left = 0, 0.0, ""

    def __call__(self, run: "Run", labels: int, accuracy: float) -> None:
        if not self._done:
            self._began = time.monotonic()  # the first one took imports, too
        else:
            left = (time.monotonic() - self._began) / self._done * (self._total - self._done - 1)
            self._left = f"; about {timedelta(seconds=round(left))} left"
        self._done += 1
        self._say(
            f"{self._done} of {self._total}: {run.plan.name}, seed {run.seed}, {labels} labels:"
            f" {accuracy:.1%}{self._left}"
        )
