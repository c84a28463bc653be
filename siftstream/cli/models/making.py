"""`siftstream models import` and `quantize`: any model in, and int8."""

from pathlib import Path
from typing import Annotated

import typer

from siftstream.cli.cluster import settings_with_cluster
from siftstream.cli.models.told import told
from siftstream.cli.options import Config
from siftstream.schemas.errors import ConfigError, SiftError
from siftstream.settings import Settings, load_settings

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


def import_(
    source: Annotated[
        str,
        typer.Argument(
            help="FILE.onnx, torch:package.module:function, torchvision:NAME, timm:NAME,"
            " hub:OWNER/REPO:NAME or hf:NAME_OR_FOLDER."
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
    import_version(settings, source, options, data or [], name, live=live, folder=folder, told=told)


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


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in _words(text))
    except ValueError:
        raise ConfigError(
            f"{option} {text}: write numbers with commas between, such as 0.485,0.456,0.406"
        ) from None
