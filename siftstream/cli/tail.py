"""`siftstream tail`: what passes through a topic, one readable line a sample."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from kafka import KafkaConsumer
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from siftstream.cli.cluster import settings_with_cluster
from siftstream.cli.options import Config
from siftstream.cli.readable import lines_of
from siftstream.schemas.errors import ConfigError, UnavailableError
from siftstream.settings import Settings
from siftstream.streams.record import Record
from siftstream.streams.topics import TOPICS

LAST = 10


def tail(
    topic: Annotated[str, typer.Argument(help="data-uris, features, scores, selected, labels, ...")],
    lines: Annotated[
        int | None,
        typer.Option("-n", min=1, help="End after this many lines; with --no-follow the last ones."),
    ] = None,
    follow: Annotated[
        bool, typer.Option(help="Wait for what comes; otherwise end with what is there.")
    ] = True,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Begin with the oldest record.")
    ] = False,
    config: Config = None,
) -> None:
    """Show what passes through a topic, one readable line a sample."""
    settings = settings_with_cluster(config)
    name = name_of(topic, settings)
    try:
        consumer = KafkaConsumer(
            group_id=None, enable_auto_commit=False, check_crcs=False, **settings.kafka.client_options()
        )
        try:
            show(consumer, name, settings, lines, follow=follow, from_beginning=from_beginning)
        finally:
            consumer.close()
    except KafkaError as error:
        raise UnavailableError(
            f"Kafka at {settings.kafka.bootstrap_servers} does not answer: {error}; is it up?"
        ) from error
    except KeyboardInterrupt:
        pass


def name_of(topic: str, settings: Settings) -> str:
    """Return the design's name of a topic that may carry the pipeline's prefix.

    Raises:
        ConfigError: no such topic.
    """
    names = {spec.name for spec in TOPICS}
    for name in names:
        if topic in (name, settings.pipeline.topic(name)):
            return name
    raise ConfigError(
        f"there is no topic {topic!r}; the topics are {', '.join(spec.name for spec in TOPICS)}"
    )


def show(
    consumer: Any, name: str, settings: Settings, count: int | None, *, follow: bool, from_beginning: bool
) -> None:
    """Print lines until `count`, the end (unless following) or Ctrl-C."""
    places = places_of(consumer, settings.pipeline.topic(name))
    ends: dict[TopicPartition, int] = consumer.end_offsets(places)
    starts: dict[TopicPartition, int] = consumer.beginning_offsets(places)
    last = not follow and not from_beginning
    if last:
        begin = {place: max(starts[place], ends[place] - (count or LAST)) for place in places}
    else:
        begin = starts if from_beginning else ends
    consumer.assign(places)
    for place in places:
        consumer.seek(place, begin[place])
    records = following(consumer) if follow else until(consumer, ends)
    if last:
        records = iter(sorted(records, key=lambda record: record.timestamp))
    lines = (line for record in records for line in lines_of(name, record, settings.classes))
    if last:
        for line in list(lines)[-(count or LAST) :]:
            typer.echo(line)
        return
    for number, line in enumerate(lines, start=1):
        typer.echo(line)
        if number == count:
            return


def places_of(consumer: Any, topic: str) -> list[TopicPartition]:
    """Return the partitions of a topic.

    Raises:
        ConfigError: it is not there.
    """
    partitions: set[int] | None = consumer.partitions_for_topic(topic)
    if not partitions:
        raise ConfigError(f"the topic {topic} is not there yet; `siftstream topics create` creates it")
    return [TopicPartition(topic, partition) for partition in sorted(partitions)]


def following(consumer: Any) -> Iterator[Record]:
    """Yield what comes, for ever."""
    while True:
        for records in consumer.poll(timeout_ms=500).values():
            yield from map(Record.of_consumer, records)


def until(consumer: Any, ends: dict[TopicPartition, int]) -> Iterator[Record]:
    """Yield what is there before `ends`."""
    while any(consumer.position(place) < end for place, end in ends.items()):
        for place, records in consumer.poll(timeout_ms=500).items():
            yield from (Record.of_consumer(record) for record in records if record.offset < ends[place])
