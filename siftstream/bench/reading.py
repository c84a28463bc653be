"""What a run left in its topics: counted while it runs, read with the times of its records afterwards."""

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from siftstream.bench.failed import BenchFailed
from siftstream.schemas import Features, Scores, Selected
from siftstream.settings import Settings

DEAD = "dead-letters"
BATCHES = {"features": Features, "scores": Scores}
POLL_MS = 250
QUIET_S, CHECK_AFTER_S = 60.0, 1.0
Ends = Mapping[TopicPartition, int]


@dataclass(frozen=True)
class Row:
    """A record: when it was made (Unix seconds), and the ids of the samples in it."""

    at: float
    ids: tuple[str, ...]


class Reading:
    """Reads a pipeline's topics without a group."""

    def __init__(self, consumer: Any, settings: Settings) -> None:
        """Args: a started consumer of no topics; the pipeline."""
        self._consumer, self._settings = consumer, settings

    def _parts(self, topic: str) -> list[TopicPartition]:
        name = self._settings.pipeline.topic(topic)
        return [TopicPartition(name, part) for part in range(self._settings.pipeline.partitions)]

    async def ends(self, *topics: str) -> dict[TopicPartition, int]:
        """Return where topics end now."""
        return await self._consumer.end_offsets([part for topic in topics for part in self._parts(topic)])

    async def count(
        self, topic: str, since: Ends, wanted: int, check: Callable[[], None] = lambda: None
    ) -> float:
        """Wait until a topic holds so many samples since then; return when that was seen, in Unix seconds.

        Args:
            topic: Its name in the design.
            since: Where to begin, of it and of the dead letters.
            wanted: Samples.
            check: Called while nothing arrives; raises where nothing can.

        Raises:
            BenchFailed: nothing arrived for a minute, or there was a dead letter.
        """
        self._seek({**{p: since[p] for p in self._parts(topic)}, **{p: since[p] for p in self._parts(DEAD)}})
        seen, moved = 0, time.monotonic()
        while seen < wanted:
            for part, records in (await self._consumer.getmany(timeout_ms=POLL_MS)).items():
                if part.topic.endswith(DEAD):
                    raise BenchFailed(f"a sample became a dead letter: {reason(records[0])}")
                seen += sum(len(row_of(topic, record).ids) for record in records)
                moved = time.monotonic()
            if time.monotonic() - moved > CHECK_AFTER_S:
                check()
            if time.monotonic() - moved > QUIET_S:
                raise BenchFailed(f"{topic}: {seen} of {wanted} samples, then nothing for {QUIET_S:g} s")
        return time.time()

    async def rows(self, topic: str, since: Ends) -> list[Row]:
        """Return what a topic holds since then, oldest first."""
        ends = await self.ends(topic)
        left = {part: end for part, end in ends.items() if end > since[part]}
        self._seek({part: since[part] for part in left})
        found: list[Row] = []
        while left:
            for part, records in (await self._consumer.getmany(timeout_ms=POLL_MS)).items():
                found += [row_of(topic, record) for record in records]
                if records and records[-1].offset + 1 >= left.get(part, 0):
                    left.pop(part, None)
        return sorted(found, key=lambda row: row.at)

    def _seek(self, places: Mapping[TopicPartition, int]) -> None:
        self._consumer.assign(list(places))
        for part, offset in places.items():
            self._consumer.seek(part, offset)


@asynccontextmanager
async def reading(settings: Settings) -> AsyncGenerator[Reading]:
    """Give a reader of the pipeline's topics."""
    consumer: Any = AIOKafkaConsumer(
        bootstrap_servers=",".join(settings.kafka.servers), enable_auto_commit=False,
        max_partition_fetch_bytes=8 << 20, fetch_max_wait_ms=POLL_MS,
    )  # fmt: skip
    await consumer.start()
    try:
        yield Reading(consumer, settings)
    finally:
        await consumer.stop()


def row_of(topic: str, record: "ConsumerRecord[Any, Any]") -> Row:
    """Return a record's time and samples."""
    at = record.timestamp / 1000
    if topic in BATCHES:
        return Row(at, tuple(BATCHES[topic].decode(record.value).sample_ids))
    assert topic == Selected.topic
    return Row(at, ((record.key or b"").decode(),))


def reason(letter: "ConsumerRecord[Any, Any]") -> str:
    """Return why a record died."""
    return next((v.decode() for k, v in letter.headers if k == "siftstream.error.message"), "no reason told")
