"""`siftstream advise`: a few questions, and the `select:` section that suits the answers."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.prompt import Prompt
from rich.syntax import Syntax
from rich.text import Text

from siftstream.schemas.errors import ConfigError
from siftstream.settings.advice import QUESTIONS, advised
from siftstream.settings.advice.labelled import Read, read_off
from siftstream.settings.advice.questions import (
    Calibrated,
    Compute,
    Cost,
    Source,
    Task,
    answers_of,
    choices,
    default_of,
    shown,
)
from siftstream.settings.advice.written import written


def _option(name: str, *flags: str, **more: Any) -> Any:
    words = f"{QUESTIONS[name].asks} Default: {shown(default_of(name))}."
    return typer.Option(*flags, help=words, show_default=False, **more)


def advise(
    task: Annotated[Task | None, _option("task")] = None,
    source: Annotated[Source | None, _option("source")] = None,
    samples: Annotated[int | None, _option("samples")] = None,
    labels_a_day: Annotated[int | None, _option("labels_a_day")] = None,
    total: Annotated[int | None, _option("total")] = None,
    batch: Annotated[int | None, _option("batch")] = None,
    cost: Annotated[Cost | None, _option("cost")] = None,
    model: Annotated[bool | None, _option("model", "--model/--no-model")] = None,
    classes: Annotated[int | None, _option("classes")] = None,
    uneven: Annotated[bool | None, _option("uneven", "--uneven/--even")] = None,
    calibrated: Annotated[Calibrated | None, _option("calibrated")] = None,
    members: Annotated[int | None, _option("members")] = None,
    dim: Annotated[int | None, _option("dim")] = None,
    compute: Annotated[Compute | None, _option("compute")] = None,
    explain: Annotated[bool | None, _option("explain", "--explain/--no-explain")] = None,
    drift: Annotated[bool | None, _option("drift", "--drift/--no-drift")] = None,
    noisy: Annotated[bool | None, _option("noisy", "--noisy/--clean")] = None,
    unseen: Annotated[bool | None, _option("unseen", "--unseen/--no-unseen")] = None,
    partitions: Annotated[int | None, _option("partitions")] = None,
    column: Annotated[str | None, _option("column", metavar="NAME")] = None,
    labelled: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A CSV or JSONL file of labelled samples to read answers off: a column label, perhaps"
            " prediction, or p_CLASS for the probability of each class.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there, not to stdout.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: defaults answer the rest.")] = False,
) -> None:
    """Ask what decides which samples to label, and write the settings that follow, with reasons."""
    options = {name: value for name, value in locals().items() if name in QUESTIONS and value is not None}
    console = Console(stderr=True, highlight=False)
    read = read_off(labelled) if labelled else Read()
    said = read.answers | options
    answers_of(said)
    figures = {name: figure for name, figure in read.figures.items() if name not in options}
    for name, figure in figures.items():
        console.print(
            f"read off {labelled}: {name} {shown(said[name])}: {figure}", style="cyan", markup=False
        )
    if yes or not can_ask():
        _tell_defaults(console, said, asked=yes)
    else:
        said = _asked(console, said)
    _write(written(advised(answers_of(said), figures)), output, force)


def can_ask() -> bool:
    """Whether a person sits at standard input."""
    return sys.stdin.isatty()


def _asked(console: Console, said: Mapping[str, Any]) -> dict[str, Any]:
    """Ask what nobody has said and matters, one after the other."""
    console.print("A few questions; Enter takes the answer in parentheses.\n", style="bold")
    answers = dict(said)
    for name, question in QUESTIONS.items():
        if name in answers or not question.when(answers_of(answers)):
            continue
        console.print(Text(question.asks, style="bold"))
        console.print(Text(f"  {question.why}", style="dim"))
        answers[name] = _answer(console, name, answers)
        console.print()
    return answers


def _answer(console: Console, name: str, answers: Mapping[str, Any]) -> Any:
    """Ask until the answer is one."""
    few = " / ".join(choices(name))
    while True:
        word = Prompt.ask(Text(f"  {few}" if few else " "), console=console, default=shown(default_of(name)))
        try:
            return getattr(answers_of({**answers, name: word.strip().replace(",", "")}), name)
        except ConfigError as error:
            console.print(Text(f"  {error}", style="red"))


def _tell_defaults(console: Console, said: Mapping[str, Any], *, asked: bool) -> None:
    """Say which answers are defaults."""
    answers = answers_of(dict(said))
    left = [name for name, question in QUESTIONS.items() if name not in said and question.when(answers)]
    if left:
        why = "defaults" if asked else "nobody to ask (no terminal), so defaults"
        words = ", ".join(f"{name} {shown(default_of(name))}" for name in left)
        console.print(f"{why}: {words}", style="dim", markup=False, soft_wrap=True)


def _write(text: str, output: Path | None, force: bool) -> None:
    if output is None:
        console = Console(highlight=False)
        if console.is_terminal:
            console.print(Syntax(text, "yaml", background_color="default", word_wrap=True))
        else:
            typer.echo(text, nl=False)
        return
    try:
        with output.open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError as error:
        raise ConfigError(
            f"{output} is there already: --force overwrites it, or name another file"
        ) from error
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}") from error
    typer.echo(f"{output} written: `siftstream config check -c {output}` checks it")
