"""`siftstream push`: files, folders, URIs or a list of them into the pipeline."""

import signal
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
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
from siftstream.connectors.delivery import TOGETHER
from siftstream.connectors.push import Pushed, pairs, total_of
from siftstream.connectors.push import push as push_entries
from siftstream.connectors.sent import LOT, Sent, record_file
from siftstream.connectors.sources.base import Bad, Entry, Source, refuse
from siftstream.connectors.sources.formats import Format
from siftstream.connectors.sources.lists import list_of
from siftstream.connectors.sources.named import source_of
from siftstream.connectors.sources.patterns import Patterns
from siftstream.schemas.errors import ConfigError, SiftError, UnavailableError
from siftstream.streams.topics import ensure_topics

PLAIN_LINE_EVERY_S = 5.0
COUNTED_WITHIN_S = 10.0
BAD_SHOWN = 10
INTERRUPTED = 130

Include = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Only files of folders and prefixes that fit, as '*.jpg'; repeat it.",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Leave out files and folders that fit; repeat it."),
]
Notes = Annotated[
    list[str] | None,
    typer.Option("--metadata", metavar="KEY=VALUE", help="Goes with every sample; repeat it."),
]


def push(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files, folders (all files below), patterns as 'data/**/*.jpg', s3://bucket/prefix/, other"
            " URIs, or - for a list on stdin."
        ),
    ] = None,
    config: Config = None,
    lists: Annotated[
        list[Path] | None,
        typer.Option(
            "--list",
            metavar="FILE",
            help="A list of samples: text (one a line), CSV (a column uri or path, perhaps sample_id and"
            " event_time, others are metadata) or JSON lines (the same keys); repeat it.",
        ),
    ] = None,
    written: Annotated[
        Format | None, typer.Option("--format", help="How lists are written; else their suffix tells.")
    ] = None,
    relative_to: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="What relative paths in lists count from; else the list's folder, or here for stdin.",
        ),
    ] = None,
    include: Include = None,
    exclude: Exclude = None,
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="Samples a second at most; without it as fast as it goes.")
    ] = None,
    metadata: Notes = None,
    together: Annotated[
        int,
        typer.Option(
            min=1, max=256, help="Samples in one Kafka record, as a JSON array; 1: each in its own."
        ),
    ] = TOGETHER,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Go on after a bad line, and count them; else stop there.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Send also what an earlier push has sent.")
    ] = False,
) -> None:
    """Send files, folders, URIs or a list of them into the pipeline."""
    console = Console(highlight=False, soft_wrap=True)
    settings = settings_with_cluster(config)
    notes = pairs(metadata or [])
    wanted = Patterns(include or (), exclude or ())
    named = [
        list_of(None, written, relative_to, wanted) if word == "-" else source_of(word, None, wanted)
        for word in sources or ()
    ] + [list_of(file, written, relative_to, wanted) for file in lists or ()]
    words = ", ".join([*(sources or ()), *map(str, lists or ())])
    if not named:
        raise ConfigError("nothing to push: name files, folders or URIs, --list FILE, or - for stdin")
    total = total_of(named, COUNTED_WITHIN_S)
    if total == 0:
        raise ConfigError(empty(words))
    ensure_topics(settings.kafka, settings.pipeline)
    topic = settings.pipeline.topic("data-uris")
    bad = BadLines(console) if skip_bad else None
    display, told = shown(console, total)
    progress = Last(told)
    with Sent(record_file(settings.state, settings.kafka, topic)) as sent, sigterm_as_ctrl_c():
        try:
            with display:
                pushed = push_entries(
                    entries_of(named, bad or refuse), settings.kafka, settings.pipeline, rate=rate,
                    metadata=notes, told=progress, sent=sent, restart=restart, bad=bad or refuse,
                    lot=1 if "-" in (sources or ()) else LOT,  # a list on stdin may come line by line
                    together=1 if "-" in (sources or ()) else together,
                )  # fmt: skip
        except KeyboardInterrupt:
            console.print(f"stopped: {so_far(progress.pushed)}; the same command goes on from there")
            raise typer.Exit(INTERRUPTED) from None
        except UnavailableError:
            raise  # it says so itself
        except SiftError as error:
            raise type(error)(f"{error} ({so_far(progress.pushed)}; a push of the same goes on)") from error
    skipped = bad.count if bad else 0
    if not pushed.sent + pushed.known + skipped:
        raise ConfigError(empty(words))
    console.print(summary(pushed, skipped, topic))


def entries_of(sources: list[Source], bad: Bad) -> Iterator[Entry]:
    """Yield the entries of all sources."""
    for source in sources:
        yield from source.entries(bad)


@contextmanager
def sigterm_as_ctrl_c() -> Generator[None]:
    """Let SIGTERM end a push in order, as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def empty(words: str) -> str:
    """The sentence for sources without a sample."""
    return f"{words}: no file there (hidden ones and what patterns keep out do not count), nothing was pushed"


def so_far(pushed: Pushed) -> str:
    """What is in the topic of a push that did not end."""
    return f"{pushed.acknowledged:,} pushed now" + (f", {pushed.known:,} before" if pushed.known else "")


def summary(pushed: Pushed, skipped: int, topic: str) -> str:
    """What a push came to."""
    count = f"{pushed.done:,} of {pushed.sent + pushed.known + skipped:,} URIs are in {topic}"
    left_out = f", {skipped:,} bad ones left out" if skipped else ""
    if not pushed.known:
        return f"{count}{left_out}: {pushed.seconds:.1f} s, {pushed.rate:,.0f} a second"
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(pushed.known_at or None))
    before = f"{pushed.known:,} were there before (the last of them since {moment})"
    if not pushed.sent:
        return f"{count}{left_out}: nothing is new, {before}; --restart sends them again"
    return f"{count}{left_out}: {pushed.sent:,} sent in {pushed.seconds:.1f} s, {before}"


class BadLines:
    """Counts what cannot be pushed, and shows the first."""

    def __init__(self, console: Console) -> None:
        self._console, self.count = console, 0

    def __call__(self, error: SiftError) -> None:
        self.count += 1
        if self.count <= BAD_SHOWN:
            self._console.print(f"left out: {error}", markup=False)
        elif self.count == BAD_SHOWN + 1:
            self._console.print("left out: more, which are only counted")


class Last:
    """Passes on how far a push is, and keeps the last that was told."""

    def __init__(self, told: Callable[[Pushed], None]) -> None:
        self._told, self.pushed = told, Pushed(0, 0, 0.0)

    def __call__(self, pushed: Pushed) -> None:
        self.pushed = pushed
        self._told(pushed)


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

    def told(pushed: Pushed) -> None:
        # a line of a list may name a folder: then there are more than there are lines
        beyond = total is not None and pushed.sent + pushed.known > total
        left = None if beyond else total
        progress.update(task, completed=pushed.done, rate=pushed.rate, total=left)

    return progress, told


class _Lines:
    """One plain line every few seconds."""

    def __init__(self, console: Console, total: int | None) -> None:
        self._console, self._total, self._next = console, total, PLAIN_LINE_EVERY_S

    def __call__(self, pushed: Pushed) -> None:
        if pushed.seconds < self._next:
            return
        self._next = pushed.seconds + PLAIN_LINE_EVERY_S
        of = left = ""
        if self._total is not None and pushed.sent + pushed.known <= self._total:
            of = f" of {self._total:,}"
            if pushed.done:
                left = f", {(self._total - pushed.done) * pushed.seconds / pushed.done:,.0f} s left"
        self._console.print(f"{pushed.done:,}{of} URIs, {pushed.rate:,.0f} a second{left}")
