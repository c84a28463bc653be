"""`siftstream models`: the versions of a line; import any model, make it int8, put it live."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from siftstream.cli.cluster import settings_with_cluster
from siftstream.cli.options import Config
from siftstream.schemas.errors import ConfigError, SiftError
from siftstream.settings import Settings, load_settings

models = typer.Typer(add_completion=False, no_args_is_help=True)

Live = Annotated[bool, typer.Option("--live", help="Put it live at once; else it is a candidate.")]
Name = Annotated[str, typer.Option("--name", help="Name of the version; without it one is made up.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only write files, into the folder of -o; publish nothing.")
]
Folder = Annotated[
    Path | None, typer.Option("-o", "--output-folder", metavar="FOLDER", help="Where --dry-run writes.")
]
Data = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WHERE",
        help="Samples: files, a folder, a pattern, or a list (CSV with a column label, perhaps); repeat it."
        " Without it, the samples labelled last.",
    ),
]


@models.callback()
def about() -> None:
    """List, import, quantize and promote models."""


@models.command("list")
def list_models(config: Config = None) -> None:
    """Show the versions of the line, newest last."""
    from siftstream.cli.versions import versions_of

    settings = settings_with_cluster(config)
    table = Table(box=None, header_style="bold")
    for name in ("version", "status"):
        table.add_column(name, no_wrap=True)
    for name in ("labels", "accuracy", "passes"):
        table.add_column(name, justify="right")
    table.add_column("reason")
    found = versions_of(settings)
    for version in found.values():
        accuracy = version.metrics.get("accuracy")
        told = "-" if accuracy is None else f"{accuracy:.3f}"
        words = (version.version, version.status, f"{version.trained_on:,}", told, str(version.passes))
        table.add_row(*words, version.reason)
    console = _console()
    console.print(table if found else f"no version in the line {settings.model.line!r} yet")


@models.command()
def promote(
    version: Annotated[str, typer.Argument(help="Name of a version, as `models list` shows it.")],
    config: Config = None,
) -> None:
    """Put a version live that is a candidate, was rejected, or was live before."""
    from siftstream.cli.versions import named, publish, versions_of
    from siftstream.models.artifacts import ArtifactStore
    from siftstream.models.loaded import LoadedModel
    from siftstream.schemas import VersionStatus

    settings = settings_with_cluster(config)
    chosen = named(versions_of(settings), version, settings.model.line)
    store = ArtifactStore.open(settings.model.artifacts)
    LoadedModel.load(
        chosen, store, settings.model, classes=settings.classes
    )  # what does not run goes not live
    publish(settings, chosen.model_copy(update={"status": VersionStatus.LIVE, "reason": "Promoted by hand."}))
    _console().print(f"{chosen.version} is live; infer and select take it up between two batches")


@models.command("import")
def import_(
    source: Annotated[
        str,
        typer.Argument(
            help="FILE.onnx, torch:package.module:function, torchvision:NAME, timm:NAME or hf:NAME_OR_FOLDER."
        ),
    ],
    config: Config = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="SHAPE",
            help="3x224x224, or NAME=SHAPE:DTYPE; `any` is a free axis; repeat it.",
        ),
    ] = None,
    classes: Annotated[
        str,
        typer.Option(
            help="What the model's outputs mean, a,b,c in their order; else the pipeline's classes."
        ),
    ] = "",
    mean: Annotated[
        str, typer.Option(help="Of pixels scaled to 0..1, one a channel: 0.485,0.456,0.406.")
    ] = "",
    std: Annotated[str, typer.Option(help="Their standard deviation, one a channel.")] = "",
    raw: Annotated[bool, typer.Option("--raw", help="Add no normalisation to an image input.")] = False,
    output: Annotated[str, typer.Option(help="The output that holds logits or probabilities.")] = "",
    embedding: Annotated[str, typer.Option(help="The inner tensor that is the embedding.")] = "",
    head: Annotated[Path | None, typer.Option(help="A safetensors head, for an encoder.")] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Weights of the model: safetensors or a state dict.")
    ] = None,
    random: Annotated[bool, typer.Option("--random", help="Random weights, of a library's model.")] = False,
    mc_dropout: Annotated[
        int,
        typer.Option(min=1, max=1024, help="Monte-Carlo dropout: runs a sample, with masks of its own each."),
    ] = 1,
    data: Data = None,
    name: Name = "",
    live: Live = False,
    dry_run: DryRun = False,
    folder: Folder = None,
) -> None:
    """Make a model of yours, or of a library, one that this pipeline runs."""
    from siftstream.cli.importing import import_version
    from siftstream.models.importing import Options
    from siftstream.models.importing.options import InputOption

    settings = _settings(config, dry_run, folder)
    options = Options(
        classes=settings.classes,
        model_classes=_words(classes),
        inputs=tuple(InputOption.parse(entry) for entry in inputs or ()),
        mean=_numbers("--mean", mean), std=_numbers("--std", std), raw=raw,
        output=output, embedding=embedding, head=head, weights=weights, random=random, passes=mc_dropout,
    )  # fmt: skip
    import_version(
        settings, source, options, data or [], name, live=live, folder=folder, told=_told(_console())
    )


@models.command()
def quantize(
    version: Annotated[str, typer.Argument(help="Name of a version, or `live`.")],
    config: Config = None,
    samples: Annotated[
        int, typer.Option(min=2, help="Samples to calibrate on and to compare with, each.")
    ] = 256,
    data: Data = None,
    name: Name = "",
    live: Live = False,
    dry_run: DryRun = False,
    folder: Folder = None,
) -> None:
    """Make a version static int8, calibrated on real samples; faster on a CPU."""
    from siftstream.cli.quantizing import quantize_version

    if dry_run and folder is None:
        raise ConfigError("--dry-run needs -o FOLDER to write to")
    settings = settings_with_cluster(config)
    told = _told(_console())
    quantize_version(
        settings, version, data or [], samples, name, live=live, folder=folder if dry_run else None, told=told
    )


def _settings(config: Path | None, dry_run: bool, folder: Path | None) -> Settings:
    if not dry_run and folder is not None:
        raise ConfigError("-o FOLDER is for --dry-run; without it the files go to model.artifacts")
    if not dry_run:
        return settings_with_cluster(config)
    if folder is None:
        raise ConfigError("--dry-run needs -o FOLDER to write to")
    try:
        return settings_with_cluster(config)
    except SiftError:  # without a cluster nothing but the known labels is missing
        return load_settings(config)


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)


def _told(console: Console) -> Callable[[str], None]:
    """Return what prints each step on a line of its own."""
    return partial(console.print, markup=False)


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in _words(text))
    except ValueError:
        raise ConfigError(
            f"{option} {text}: write numbers with commas between, such as 0.485,0.456,0.406"
        ) from None
