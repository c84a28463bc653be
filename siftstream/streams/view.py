"""A view: a fold over a topic, read by a plain consumer without a group. State is the log."""

import asyncio
from collections.abc import Callable, Iterable
from logging import getLogger
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from siftstream.schemas.errors import SiftError, UnavailableError
from siftstream.streams.record import Record
from siftstream.streams.settings import KafkaSettings, PipelineSettings
from siftstream.streams.topics import partitions_of

log = getLogger(__name__)
Fold = Callable[[Record], None]
Refused = Callable[[Record, Exception], None]


class View:
    """Folds each record of a topic once, in the order of its partition.

    `refresh` reads partitions up to their present end; `follow` goes on reading for ever. A record
    whose fold raises a `SiftError` is passed over and logged; `refused` hears of it too where it came
    after the view's first reading (older ones were heard of in an earlier life).
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        pipeline: PipelineSettings,
        topic: str,
        fold: Fold,
        refused: Refused | None = None,
    ) -> None:
        """Args: cluster, names, topic (design name), what to do with a record, and with a bad one."""
        self._kafka = kafka
        self._topic = pipeline.topic(topic)
        self._count = partitions_of(topic, pipeline)
        self._fold = fold
        self._refused = refused
        self._begun: set[int] = set()  # partitions read once to their end
        self._next: dict[int, int] = {}  # partition -> the offset to be folded next
        self._reading = asyncio.Lock()
        self._consumer: Any = None

    async def refresh(self, partitions: Iterable[int] | None = None) -> None:
        """Fold what is there, from where the view stands to the end as it is now.

        Raises:
            UnavailableError: the cluster does not answer.
        """
        async with self._reading:
            try:
                consumer = await self._started()
                wanted = range(self._count) if partitions is None else partitions
                places = [TopicPartition(self._topic, partition) for partition in wanted]
                ends = await consumer.end_offsets(places)
                behind = [place for place in places if self._next.get(place.partition, 0) < ends[place]]
                starts = await consumer.beginning_offsets(behind) if behind else {}
                at = {place: max(self._next.get(place.partition, 0), starts[place]) for place in behind}
                await self._read(consumer, {p: at[p] for p in behind if at[p] < ends[p]}, ends)
                self._begun |= {place.partition for place in places}
            except KafkaError as error:
                raise UnavailableError(f"{self._topic} could not be read: {error!r}") from error

    async def follow(self, changed: Callable[[], None] | None = None, every: float = 0.5) -> None:
        """Read on for ever; `changed` is called after each step that folded something."""
        while True:
            before = dict(self._next)
            try:
                await self.refresh()
            except UnavailableError as error:
                log.warning("%s", error)
            if changed is not None and before != self._next:
                changed()
            await asyncio.sleep(every)

    def fold(self, record: Record) -> bool:
        """Fold one record that came another way; tell whether it was new to the view."""
        if record.offset < self._next.get(record.partition, 0):
            return False
        self._next[record.partition] = record.offset + 1
        self._fold(record)
        return True

    def forget(self, partition: int) -> None:
        """Start this partition anew at the next refresh (its state was dropped)."""
        self._next.pop(partition, None)

    async def stop(self) -> None:
        """Close the consumer."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def _started(self) -> Any:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                group_id=None, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=20,
                fetch_max_bytes=64 << 20, max_partition_fetch_bytes=8 << 20, **self._kafka.client_options(),
            )  # fmt: skip
            try:
                await consumer.start()
            except BaseException:
                await consumer.stop()
                raise
            self._consumer = consumer
        return self._consumer

    async def _read(self, consumer: Any, behind: dict[Any, int], ends: dict[Any, int]) -> None:
        if not behind:
            return
        consumer.assign(list(behind))
        for place, offset in behind.items():
            consumer.seek(place, offset)
        while behind:
            for place, records in (await consumer.getmany(*behind, timeout_ms=200, max_records=5000)).items():
                for raw in records:
                    if raw.offset < ends[place]:
                        self._fold_safely(Record.of_consumer(raw))
            for place in list(behind):
                if await consumer.position(place) >= ends[place]:
                    self._next[place.partition] = max(self._next.get(place.partition, 0), ends[place])
                    del behind[place]
        consumer.pause(*consumer.assignment())  # else it would go on asking the broker for what comes next

    def _fold_safely(self, record: Record) -> None:
        try:
            self.fold(record)
        except SiftError as error:
            place = f"{record.partition}@{record.offset}"
            log.warning("view of %s passes over %s: %s", self._topic, place, error)
            if self._refused is not None and record.partition in self._begun:
                self._refused(record, error)
