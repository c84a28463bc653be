"""`siftstream push`: files, folders, URIs or a list of them into the pipeline."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from siftstream.cli.cluster import settings_with_cluster
from siftstream.cli.options import Config
from siftstream.connectors.push import Pushed, iter_uris, pairs
from siftstream.connectors.push import push as push_uris
from siftstream.schemas.errors import ConfigError
from siftstream.streams.topics import ensure_topics

PLAIN_LINE_EVERY_S = 5.0


def push(
    paths: Annotated[
        list[str], typer.Argument(help="Files, folders (all files below), URIs, or - for a list on stdin.")
    ],
    config: Config = None,
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="Samples a second at most; without it as fast as it goes.")
    ] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option("--metadata", metavar="KEY=VALUE", help="Goes with every sample; repeat it."),
    ] = None,
) -> None:
    """Send files, folders, URIs or a list of them into the pipeline."""
    console = Console(highlight=False)
    settings = settings_with_cluster(config)
    notes = pairs(metadata or [])
    total = None if "-" in paths else sum(1 for _ in iter_uris(paths))
    if total == 0:
        raise ConfigError(f"{', '.join(paths)}: no file there (hidden ones do not count), nothing was pushed")
    ensure_topics(settings.kafka, settings.pipeline)
    display, told = shown(console, total)
    with display:
        pushed = push_uris(
            iter_uris(paths, sys.stdin), settings.kafka, settings.pipeline,
            rate=rate, metadata=notes, told=told,
        )  # fmt: skip
    topic = settings.pipeline.topic("data-uris")
    words = f"{pushed.acknowledged:,} of {pushed.sent:,} URIs are in {topic}"
    console.print(f"{words}: {pushed.seconds:.1f} s, {pushed.rate:,.0f} a second")


def shown(
    console: Console, total: int | None
) -> tuple[AbstractContextManager[object], Callable[[Pushed], None]]:
    """Return what shows the progress: a bar on a terminal, a line now and then elsewhere."""
    if not console.is_terminal:
        return nullcontext(), _Lines(console, total)
    progress = Progress(
        SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]:,.0f} a second"),
        TimeElapsedColumn(), TimeRemainingColumn(), console=console,
    )  # fmt: skip
    task = progress.add_task("push", total=total, rate=0.0)
    return progress, lambda pushed: progress.update(task, completed=pushed.acknowledged, rate=pushed.rate)


class _Lines:
    """One plain line every few seconds."""

    def __init__(self, console: Console, total: int | None) -> None:
        self._console, self._total, self._next = console, total, PLAIN_LINE_EVERY_S

    def __call__(self, pushed: Pushed) -> None:
        if pushed.seconds < self._next:
            return
        self._next = pushed.seconds + PLAIN_LINE_EVERY_S
        of = f" of {self._total:,}" if self._total is not None else ""
        self._console.print(f"{pushed.acknowledged:,}{of} URIs, {pushed.rate:,.0f} a second")
