"""A stretch of one partition's features, read again by a consumer without a group."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from siftstream.schemas import Features
from siftstream.schemas.errors import UnavailableError
from siftstream.streams.app import StageApp
from siftstream.streams.plain import close, plain_consumer
from siftstream.streams.record import Record

HELD_MS: Final = 100
WITHIN_MS: Final = 500  # that a reading waits for records at most
AT_MOST: Final = 16  # records a reading


class Stretch:
    """The records from offset `at` up to `end`, as far as the log still has them."""

    def __init__(self, consumer: Any, place: Any, at: int, end: int) -> None:
        """Args: a consumer that stands at `at`; the partition; first offset; the offset after the last."""
        self._consumer, self._place, self._at, self._end = consumer, place, at, end

    @property
    def over(self) -> bool:
        """Whether all of it was read."""
        return self._at >= self._end

    async def read(self) -> list[Record]:
        """Return the next records; none where the broker is slow, or nothing is left of the stretch.

        Raises:
            UnavailableError: the broker refused.
        """
        try:
            raws = await self._consumer.getmany(self._place, timeout_ms=WITHIN_MS, max_records=AT_MOST)
            self._at = await self._consumer.position(self._place)
        except KafkaError as error:
            raise UnavailableError(f"{self._place.topic} could not be read: {error!r}") from error
        records = [Record.of_consumer(raw) for found in raws.values() for raw in found]
        return [record for record in records if record.offset < self._end]


@asynccontextmanager
async def opened(app: StageApp, partition: int, first: int, end: int) -> AsyncGenerator[Stretch, None]:
    """Open a stretch of `features`; where the log begins later, or ends earlier, so does the stretch.

    Raises:
        UnavailableError: the cluster does not answer.
    """
    place = TopicPartition(app.pipeline.topic(Features.topic), partition)
    consumer = await plain_consumer(app.kafka, held_ms=HELD_MS)
    try:
        consumer.assign([place])
        try:
            starts = await consumer.beginning_offsets([place])
            ends = await consumer.end_offsets([place])
        except KafkaError as error:
            raise UnavailableError(f"{place.topic} could not be read: {error!r}") from error
        at = max(first, starts[place])
        consumer.seek(place, at)
        yield Stretch(consumer, place, at, min(end, ends[place]))
    finally:
        await close(consumer)
