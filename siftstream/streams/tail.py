"""The tail of a topic: what is written comes within milliseconds, silence costs two requests a second."""

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Any, Final, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from siftstream.schemas.errors import UnavailableError
from siftstream.streams.plain import close, plain_consumer
from siftstream.streams.record import Record
from siftstream.streams.settings import KafkaSettings

HELD_MS: Final = 500  # a request that finds nothing is held by the broker for so long
READ_EVERY_S: Final = 0.01  # records are taken at most so often: each taking costs a request for what follows
DEAF_S: Final = 10.0  # without any answer, and none of them later than `HELD_MS`, something is broken


class Run(NamedTuple):
    """Records of one partition, in order, and the offset from which on they are all there is."""

    partition: int
    start: int
    records: list[Record]


class Tail:
    """Long-polls partitions of a topic, each from an offset on, by a plain consumer without a group."""

    def __init__(self, kafka: KafkaSettings, topic: str) -> None:
        """Args: the cluster; the topic's name on it."""
        self._kafka, self._topic = kafka, topic
        self._consumer: Any = None
        self._answered: tuple[int, float] = (0, 0.0)  # a broker's last answer, and when it was news here
        self._read_at = 0.0  # when records were last taken
        self.at: dict[int, int] = {}  # partition -> the offset that is read next

    async def follow(self, at: Mapping[int, int]) -> None:
        """Read these partitions from these offsets on, and no others.

        Raises:
            UnavailableError: the cluster does not answer.
        """
        consumer = await self._started()
        self.at = dict(at)
        consumer.assign([TopicPartition(self._topic, partition) for partition in at])
        for partition, offset in at.items():
            consumer.seek(TopicPartition(self._topic, partition), offset)
        self._answered = (0, monotonic())

    async def read(self, within: float) -> list[Run]:
        """Return what came, as soon as anything does; nothing when time is up.

        Args:
            within: Seconds to wait at most.

        Raises:
            UnavailableError: the cluster has not answered for a while; stop, and follow again.
        """
        if not self.at:
            await asyncio.sleep(within)
            return []
        await asyncio.sleep(max(0.0, self._read_at + READ_EVERY_S - monotonic()))
        try:
            found = await self._consumer.getmany(timeout_ms=int(within * 1000), max_records=5000)
        except KafkaError as error:
            raise UnavailableError(f"{self._topic} could not be followed: {error!r}") from error
        if found:
            self._read_at = monotonic()
        self._listen_for_answers()
        return [self._run(place.partition, records) for place, records in found.items() if records]

    async def stop(self) -> None:
        """Close the consumer."""
        consumer, self._consumer, self.at = self._consumer, None, {}
        if consumer is not None:
            await close(consumer)

    def _run(self, partition: int, records: list[Any]) -> Run:
        start = self.at[partition]
        self.at[partition] = records[-1].offset + 1
        return Run(partition, start, [Record.of_consumer(record) for record in records])

    def _listen_for_answers(self) -> None:
        """aiokafka asks again for ever and tells nobody; it does say when it last heard of each partition."""
        places = [TopicPartition(self._topic, partition) for partition in self.at]
        newest = max(self._consumer.last_poll_timestamp(place) or 0 for place in places)
        if newest != self._answered[0]:
            self._answered = (newest, monotonic())
        elif monotonic() - self._answered[1] > DEAF_S:
            raise UnavailableError(f"{self._topic} could not be followed: no answer for {DEAF_S:g} s")

    async def _started(self) -> Any:
        if self._consumer is None:
            self._consumer = await plain_consumer(self._kafka, held_ms=HELD_MS)
        return self._consumer
