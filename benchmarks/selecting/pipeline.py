"""A pipeline on the real broker: scores written by hand, the select stage a process of ours."""

import itertools
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition

from benchmarks.selecting.stream import CLASSES, EACH, Stream, records
from siftstream.bench.failed import BenchFailed
from siftstream.bench.running import Running
from siftstream.schemas import Offer, Query, Scores, Selected, Trigger
from siftstream.settings.load import settings_from
from siftstream.streams.status import StatusReader
from siftstream.streams.topics import ensure_topics

WITHIN_S = 200.0
LOOK_EVERY_S = 0.05
_numbers = itertools.count()


class Pipeline:
    """Topics of its own; `written` records a partition stand in its scores."""

    def __init__(self, folder: Path, bootstrap: str, stream: Stream, partitions: int, **select: Any) -> None:
        """Args: where files go; Kafka; the records; partitions; settings of select, section by section."""
        self.name = f"select-{next(_numbers)}"
        self._folder, self._bootstrap, self._stream = folder / self.name, bootstrap, stream
        self.partitions, self.written = partitions, 0
        self._config: dict[str, Any] = {
            "pipeline": {"name": self.name, "partitions": partitions},
            "kafka": {"bootstrap_servers": bootstrap},
            "classes": list(CLASSES),
            "model": {"artifacts": str(self._folder / "artifacts")},
            "state": str(self._folder / "state"),
            "select": {"strategy": {"name": "margin"}, **select},
        }
        self.settings = settings_from(dict(self._config))
        ensure_topics(self.settings.kafka, self.settings.pipeline)

    def write(self, samples: int) -> None:
        """Append at least so many samples to each partition's scores."""
        producer = KafkaProducer(
            bootstrap_servers=self._bootstrap, acks="all", linger_ms=20, batch_size=1 << 20
        )
        try:
            topic = self.topic(Scores.topic)
            for number in range(self.written, self.written + records(samples)):
                for partition in range(self.partitions):
                    value = self._stream.value(number * self.partitions + partition)
                    producer.send(topic, value, partition=partition)
            producer.flush(WITHIN_S)
        finally:
            producer.close()
        self.written += records(samples)

    @property
    def samples(self) -> int:
        """How many stand in the scores."""
        return self.written * self.partitions * EACH

    def ask(self, query: Query) -> None:
        """Write a query."""
        producer = KafkaProducer(bootstrap_servers=self._bootstrap, acks="all")
        try:
            producer.send(self.topic(Query.topic), query.encode(), key=query.key).get(WITHIN_S)
        finally:
            producer.close()

    def topic(self, name: str) -> str:
        """Return a topic's name on the cluster."""
        return self.settings.pipeline.topic(name)

    def running(self) -> Running:
        """Return the select stage as one process; it starts with the block."""
        return Running(self._config, folder=self._folder / "run", stages=("select",))

    def settle(self) -> None:
        """Wait until everything that was written is in the windows, and the commit says so."""
        with StatusReader(self.settings.kafka, self.settings.pipeline) as status:

            def is_through() -> bool:
                group = status.read().group("select")
                return group is not None and group.done > 0 and group.lag == 0

            wait_for(is_through, "the windows")


@contextmanager
def heard(pipeline: Pipeline) -> "Generator[Ear]":
    """Hear what select writes from now on."""
    ear = Ear(pipeline)
    try:
        yield ear
    finally:
        ear.close()


class Ear:
    """Offers and choices, each with the broker's time of it."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Args: the pipeline; what is there already is not heard."""
        self._offers = pipeline.topic(Offer.topic)
        self._consumer: Any = KafkaConsumer(
            enable_auto_commit=False, check_crcs=False, fetch_max_wait_ms=20,
            **pipeline.settings.kafka.client_options(),
        )  # fmt: skip
        places = [TopicPartition(pipeline.topic(Selected.topic), p) for p in range(pipeline.partitions)]
        places.append(TopicPartition(self._offers, 0))
        self._consumer.assign(places)
        for place, end in self._consumer.end_offsets(places).items():
            self._consumer.seek(place, end)
        self.offers: list[float] = []
        self.choices: list[Selected] = []  # of rounds by count
        self.times: list[float] = []  # of each choice

    def listen(self) -> None:
        """Take in what came."""
        for place, found in self._consumer.poll(timeout_ms=50).items():
            for record in found:
                if place.topic == self._offers:
                    self.offers.append(record.timestamp / 1e3)
                elif record.value is not None:
                    one = Selected.decode(record.value)
                    if one.trigger is Trigger.COUNT:
                        self.choices.append(one)
                        self.times.append(record.timestamp / 1e3)

    @property
    def seen(self) -> int:
        """Samples before the newest round that was heard of."""
        return max((one.seen for one in self.choices), default=0)

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Return when something is so.

    Raises:
        BenchFailed: it is not in time.
    """
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        if time.monotonic() > deadline:
            raise BenchFailed(f"{what}: not within {WITHIN_S:g} s")
        time.sleep(LOOK_EVERY_S)
