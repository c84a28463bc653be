"""`siftstream explain`: one sample's whole story, from the topics."""

import asyncio
import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from siftstream.cli.cluster import settings_with_cluster
from siftstream.cli.options import Config
from siftstream.cli.readable import printable
from siftstream.schemas.errors import ConfigError
from siftstream.settings import Settings
from siftstream.streams.story.lookup import Lookup
from siftstream.streams.story.reading import LogReader
from siftstream.streams.story.told import Moment, Story

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
COLOURS: Final = {
    "selected": "cyan", "labels": "green", "labelled": "green", "models": "magenta", "dead-letters": "red",
}  # fmt: skip


def explain(
    sample_id: Annotated[
        str,
        typer.Argument(help="The sample's id, the beginning of it as other commands show it, or its URI."),
    ],
    since: Annotated[
        str | None,
        typer.Option(
            metavar="AGO",
            help="Look at features, scores and shadow only from so long ago on: 90s, 30m, 6h, 2d; without it"
            " from the moment the sample was pushed.",
        ),
    ] = None,
    whole: Annotated[
        bool,
        typer.Option("--whole", help="Read features, scores and shadow to their end: repeats, rescoring."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
    config: Config = None,
) -> None:
    """Tell one sample's story: fetched, scored, chosen why, labelled what, trained into what."""
    begin = None if since is None else time.time() - seconds(since)
    settings = settings_with_cluster(config)
    with progress() as told:
        story = asyncio.run(look_up(settings, sample_id, begin, told, whole=whole))
    if as_json:
        typer.echo(json.dumps(asdict(story), ensure_ascii=False))
    else:
        Console(highlight=False).print(view(story))


def seconds(words: str) -> float:
    """Return a span of time in seconds.

    >>> seconds("90s"), seconds("1.5h")
    (90.0, 5400.0)

    Raises:
        ConfigError: no such span.
    """
    try:
        return float(words[:-1]) * UNITS[words[-1:]]
    except (KeyError, ValueError):
        raise ConfigError(f"--since {words!r}: a number with s, m, h or d belongs there, as 6h") from None


async def look_up(
    settings: Settings, word: str, since: float | None, told: Callable[[str, int, int], None], *, whole: bool
) -> Story:
    """Look a sample up in every topic of a pipeline."""
    shadows = sum(line.mode == "shadow" for line in settings.infer.lines)
    async with LogReader(settings.kafka, settings.pipeline) as log:
        lookup = Lookup(
            log, settings.pipeline.name, settings.classes, since, whole, max(1, shadows), told
        )  # fmt: skip
        return await lookup.story(word)


def view(story: Story) -> Group:
    """Return a story as something that Rich prints."""
    head = Table.grid(padding=(0, 2))
    about = [("sample", story.sample_id), ("URI", story.uri), ("now", story.state)]
    about.append(("slice", f"{story.slice or 'none yet'}: {story.slice_reason}"))
    for name, words in about:
        head.add_row(Text(name, style="bold"), Text(printable(words), overflow="fold"))
    lines = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    lines.add_column(no_wrap=True, style="dim")
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    for moment in story.moments:
        lines.add_row(clock(moment.at), place(moment), Text(printable(moment.text)))
    missing = [Text(words, style="yellow") for words in story.missing]
    learned = "" if story.versions else "no model version has had its label"
    return Group(head, "", lines, *missing, *([Text(learned, style="dim")] if learned else []))


def place(moment: Moment) -> Text:
    """Where a record stands."""
    where = f"{moment.topic} {moment.partition}@{moment.offset}"
    return Text(where, style=COLOURS.get(moment.topic, ""))


def clock(at: float) -> str:
    """A moment as local date and time, with milliseconds."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) + f".{int(at * 1000) % 1000:03d}"


@contextmanager
def progress() -> Generator[Callable[[str, int, int], None]]:
    """Show on stderr, where that is a terminal, how far a large topic is read."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console,
        transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task("reading", total=None)
        yield lambda topic, done, total: bar.update(task, description=topic, completed=done, total=total)
