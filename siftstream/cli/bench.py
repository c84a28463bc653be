"""`siftstream bench`: the speed of the whole line beside its raw limits and beside what others do."""

import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from siftstream.cli.broker import stop_as_by_ctrl_c
from siftstream.schemas.errors import ConfigError

WIDTH = 130  # of the tables in a file


def bench(
    data: Annotated[
        Path | None,
        typer.Option(metavar="ZIP_OR_FOLDER", help="JPEG files of 32x32 pixels; without it they are made."),
    ] = None,
    count: Annotated[int, typer.Option(min=16, help="Samples of a round.")] = 8000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, all ways in turn in each.")] = 3,
    parts: Annotated[
        str,
        typer.Option(
            help="What to measure, with commas: limits, line, others, batch, sources, workers, growth,"
            " latency, soak, swap."
        ),
    ] = "limits,line,others",
    model: Annotated[
        str,
        typer.Option(help="Encoders, with commas: resnet18, cnn, resnet18-224; every part runs the first."),
    ] = "resnet18,resnet18-224",
    int8: Annotated[bool, typer.Option("--int8", help="Also the first model in static int8.")] = False,
    soak: Annotated[int, typer.Option(min=1, help="Samples of the part `soak`.")] = 1_000_000,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Where the figures go.")] = None,
    picture: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Where the picture goes.")] = None,
    environments: Annotated[
        Path, typer.Option(help="Where the environments of the others are made, once.")
    ] = Path("~/.cache/siftstream/bench"),
) -> None:
    """Measure the whole line beside its raw limits and beside what others do."""
    try:
        from siftstream.bench.encoders import MODELS
        from siftstream.bench.options import PARTS, Options, words
        from siftstream.bench.suite import run, save, show
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the benchmark needs {error.name}: pip install 'siftstream[bench,local]'"
        ) from error
    from siftstream.demo.plan import own_environment

    options = Options(
        data=data, count=count, rounds=rounds, parts=words(parts, PARTS, "part"),
        models=words(model, tuple(MODELS), "model"), int8=int8, soak=soak, out=out, picture=picture,
        environments=environments.expanduser(),
    )  # fmt: skip
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    signal.signal(signal.SIGTERM, stop_as_by_ctrl_c)
    with own_environment():
        report = run(options, lambda line: console.print(line, style="dim", markup=False, soft_wrap=True))
    show(report, console)
    for file in save(report):
        console.print(f"written: {file}", markup=False, soft_wrap=True)
