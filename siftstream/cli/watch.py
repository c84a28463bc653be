"""`siftstream watch`: what appears in folders and buckets goes into the pipeline as it comes."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from threading import Event
from typing import Annotated

import typer
from rich.console import Console

from siftstream.cli.cluster import settings_with_cluster
from siftstream.cli.options import Config
from siftstream.cli.push import Exclude, Include, Notes
from siftstream.connectors.delivery import Delivery
from siftstream.connectors.push import pairs
from siftstream.connectors.sent import Sent, record_file
from siftstream.connectors.sources.arrivals import TEMPORARY, FolderPlace, Place, PrefixPlace
from siftstream.connectors.sources.folder import Folder
from siftstream.connectors.sources.named import source_of
from siftstream.connectors.sources.patterns import OnlyPath, Patterns
from siftstream.connectors.sources.s3 import Prefix
from siftstream.connectors.watch import PATIENCE_S, Rules, Watch
from siftstream.schemas.errors import ConfigError
from siftstream.streams.topics import ensure_topics


def watch(
    places: Annotated[
        list[str], typer.Argument(help="Folders (all below), s3://bucket, s3://bucket/prefix/.")
    ],
    config: Config = None,
    include: Include = None,
    exclude: Exclude = None,
    settle: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="Seconds for which a file's size and time must stand still before it is sent; on a network"
            " mount longer than the mount caches them. Files named *.tmp, *.part and the like wait for"
            " their rename.",
        ),
    ] = 2.0,
    every: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two looks at everything; S3 has only these.")
    ] = 30.0,
    poll: Annotated[
        bool, typer.Option("--poll", help="Only look, as where the system tells nothing: network mounts.")
    ] = False,
    new_only: Annotated[
        bool, typer.Option("--new-only", help="Leave out what was there before the first start.")
    ] = False,
    changed: Annotated[
        bool,
        typer.Option(
            "--changed",
            help="A changed file is a new sample: its id is of its URI and ETag, or time and size.",
        ),
    ] = False,
    metadata: Notes = None,
) -> None:
    """Keep sending what newly appears in folders and buckets, until Ctrl-C."""
    console = Console(highlight=False, soft_wrap=True)
    settings = settings_with_cluster(config)
    watched = [place_of(word, include or [], exclude or [], settle) for word in places]
    rules = Rules(every=every, poll=poll, changed=changed, new_only=new_only, metadata=pairs(metadata or []))
    ensure_topics(settings.kafka, settings.pipeline)
    topic = settings.pipeline.topic("data-uris")
    with stop_by_signal() as stop, Sent(record_file(settings.state, settings.kafka, topic)) as sent:
        delivery = Delivery(settings.kafka, topic, sent, patience=PATIENCE_S)
        watching = Watch(
            watched, delivery, sent, rules, stop, lambda words: console.print(words, markup=False)
        )  # fmt: skip
        try:
            watching.run()
        finally:
            delivery.close()
        left = watching.sent - delivery.acknowledged
        more = f"; not acknowledged, and sent at the next start: {left:,}" if left else ""
        console.print(f"stopped: {delivery.acknowledged:,} sent to {topic}{more}")


def place_of(word: str, include: list[str], exclude: list[str], settle: float) -> Place:
    """Return the place that a word names.

    Raises:
        ConfigError: it is a single file or URI; LoadError: no such folder.
    """
    source = source_of(word)
    if isinstance(source, Folder) and not isinstance(source.patterns, OnlyPath):
        return FolderPlace(source.path, Patterns(include, [*exclude, *TEMPORARY]), settle)
    if isinstance(source, Prefix):
        return PrefixPlace(Prefix(source.uri, Patterns(include, exclude)))
    raise ConfigError(
        f"{word}: only folders and prefixes can be watched (a prefix ends with /: s3://bucket/prefix/)"
    )


@contextmanager
def stop_by_signal() -> Generator[Event]:
    """Give an event that SIGINT and SIGTERM set; a second one ends at once."""
    stop = Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def asked(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    try:
        for number in before:
            signal.signal(number, asked)
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
