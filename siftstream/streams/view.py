"""A view: a fold over a topic, read by a plain consumer without a group. State is the log."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from logging import getLogger
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from siftstream.schemas.errors import SiftError, UnavailableError
from siftstream.streams.plain import close, plain_consumer
from siftstream.streams.record import Record
from siftstream.streams.settings import KafkaSettings, PipelineSettings
from siftstream.streams.tail import Tail
from siftstream.streams.topics import partitions_of

log = getLogger(__name__)
Fold = Callable[[Record], None]
Refused = Callable[[Record, Exception], None]
LOOK_S: Final = 0.1  # how often it is asked which partitions are followed; costs the broker nothing
AGAIN_S: Final = 0.5  # pause before the next try while the broker is away


class View:
    """Folds each record of a topic once, in the order of its partition.

    `refresh` reads partitions up to their present end; `follow` goes on reading for ever; both may run at
    once. A record
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
        self._folded = 0  # records, in all
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

    async def follow(
        self,
        changed: Callable[[], None] | None = None,
        partitions: Callable[[], Iterable[int]] | None = None,
    ) -> None:
        """Read on for ever: a record is folded within milliseconds of being written.

        An outage of the broker is told once; afterwards reading goes on where the view stands.

        Args:
            changed: Called after each step in which something was folded.
            partitions: Returns the partitions to be followed, asked anew several times a second; none: all.
                Those that come in are caught up from where the view stands. Those that go out are not read
                any more; to drop what they left is the caller's, who then calls `forget`.
        """
        tail, away, told = Tail(self._kafka, self._topic), False, self._folded
        try:
            while True:
                wanted = set(range(self._count) if partitions is None else partitions())
                try:
                    await self._step(tail, wanted)
                    if away:
                        log.info("%s is followed again", self._topic)
                    away = False
                except UnavailableError as error:
                    if not away:
                        log.warning("%s", error)
                    away = True
                    await tail.stop()
                    await asyncio.sleep(AGAIN_S)
                if changed is not None and told != self._folded:
                    told = self._folded
                    changed()
        finally:
            await tail.stop()

    async def _step(self, tail: Tail, wanted: set[int]) -> None:
        """Fold what the tail brings; first lay it where the view stands, where it lies elsewhere."""
        strayed = {p for p in wanted if p not in tail.at or tail.at[p] > self._next.get(p, 0)}
        if strayed or tail.at.keys() != wanted:
            if strayed:
                await self.refresh(strayed)
            await tail.follow({partition: self._next.get(partition, 0) for partition in wanted})
        for run in await tail.read(LOOK_S):
            self._fold_run(run.partition, run.start, run.records)

    def fold(self, record: Record) -> bool:
        """Fold one record that came another way; tell whether it was new to the view."""
        if record.offset < self._next.get(record.partition, 0):
            return False
        self._next[record.partition] = record.offset + 1
        self._folded += 1
        self._fold(record)
        return True

    def forget(self, partition: int) -> None:
        """Start this partition anew at the next refresh (its state was dropped)."""
        self._next.pop(partition, None)

    async def stop(self) -> None:
        """Close the consumer."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await close(consumer)

    async def _started(self) -> Any:
        if self._consumer is None:
            self._consumer = await plain_consumer(self._kafka, held_ms=20)
        return self._consumer

    async def _read(self, consumer: Any, behind: dict[Any, int], ends: dict[Any, int]) -> None:
        if not behind:
            return
        consumer.assign(list(behind))
        for place, offset in behind.items():
            consumer.seek(place, offset)
            self._next[place.partition] = max(self._next.get(place.partition, 0), offset)
        try:
            while behind:
                found = await consumer.getmany(*behind, timeout_ms=200, max_records=5000)
                for place, raws in found.items():
                    records = [Record.of_consumer(raw) for raw in raws if raw.offset < ends[place]]
                    self._fold_run(place.partition, behind[place], records)
                for place in list(behind):
                    at = await consumer.position(place)
                    self._move(place.partition, behind[place], min(at, ends[place]))
                    behind[place] = at
                    if at >= ends[place]:
                        del behind[place]
        finally:  # else it would go on asking the broker for what comes next
            consumer.pause(*consumer.assignment())

    def _fold_run(self, partition: int, start: int, records: Sequence[Record]) -> None:
        """Fold records, before which nothing is missing from `start` on.

        Another reader may have been faster: what it folded is not folded again. And the partition may have
        been forgotten meanwhile: what comes before `start` is then missing, so nothing is folded here.
        """
        for record in records:
            if start <= self._next.get(partition, 0):
                self._fold_safely(record)
        if records:
            self._move(partition, start, records[-1].offset + 1)

    def _move(self, partition: int, start: int, end: int) -> None:
        """Note that all is folded from `start` to `end`."""
        if start <= self._next.get(partition, 0) < end:
            self._next[partition] = end

    def _fold_safely(self, record: Record) -> None:
        try:
            self.fold(record)
        except SiftError as error:
            place = f"{record.partition}@{record.offset}"
            log.warning("view of %s passes over %s: %s", self._topic, place, error)
            if self._refused is not None and record.partition in self._begun:
                self._refused(record, error)
