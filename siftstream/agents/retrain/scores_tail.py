"""The newest micro-batches of `scores`, read backwards by a consumer without a group."""

from collections.abc import AsyncGenerator, Sequence
from logging import getLogger
from time import monotonic
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from siftstream.schemas import Scores
from siftstream.schemas.errors import SchemaError, UnavailableError
from siftstream.streams.plain import close, plain_consumer
from siftstream.streams.settings import KafkaSettings, PipelineSettings
from siftstream.streams.topics import partitions_of

log = getLogger(__name__)
FIRST: Final = 8  # records of each partition; then twice as many, and so on
MOST: Final = 4096  # records of each partition, in all
WITHIN_S: Final = 10.0  # without any record of a stretch that the log has, something is broken


class ScoresTail:
    """Reads the tail of each partition, from its end towards its beginning, for as long as one asks."""

    def __init__(self, kafka: KafkaSettings, pipeline: PipelineSettings) -> None:
        """Args: cluster and names."""
        self._kafka = kafka
        topic, count = pipeline.topic(Scores.topic), partitions_of(Scores.topic, pipeline)
        self._places = [TopicPartition(topic, partition) for partition in range(count)]

    async def latest(self) -> AsyncGenerator[Sequence[Scores], None]:
        """Yield micro-batches of all partitions, those of a stretch newest first.

        Raises:
            UnavailableError: the cluster does not answer.
        """
        consumer = await plain_consumer(self._kafka, held_ms=20)
        try:
            consumer.assign(self._places)
            starts = await consumer.beginning_offsets(self._places)
            ends: dict[Any, int] = dict(await consumer.end_offsets(self._places))
            size, read = FIRST, 0
            while read < MOST and any(ends[place] > starts[place] for place in self._places):
                begins = {place: max(starts[place], ends[place] - size) for place in self._places}
                yield await self._stretch(consumer, begins, ends)
                ends, read, size = begins, read + size, 2 * size
        except KafkaError as error:
            raise UnavailableError(f"{self._places[0].topic} could not be read: {error!r}") from error
        finally:
            await close(consumer)

    async def _stretch(self, consumer: Any, begins: dict[Any, int], ends: dict[Any, int]) -> list[Scores]:
        """Return what stands from `begins` up to `ends`, the newest record first."""
        behind = {place for place in begins if begins[place] < ends[place]}
        for place in behind:
            consumer.seek(place, begins[place])
        found, heard = list[Any](), monotonic()
        while behind:
            records = await consumer.getmany(*behind, timeout_ms=200)
            if records:
                heard = monotonic()
            elif monotonic() - heard > WITHIN_S:
                raise UnavailableError(f"{self._places[0].topic} could not be read: no answer")
            for place, raws in records.items():
                found += [raw for raw in raws if raw.offset < ends[place]]
            behind = {place for place in behind if await consumer.position(place) < ends[place]}
        found.sort(key=lambda raw: (raw.timestamp, raw.offset), reverse=True)
        return [batch for batch in map(_decoded, found) if batch is not None]


def _decoded(raw: Any) -> Scores | None:
    try:
        return Scores.decode(raw.value)
    except SchemaError as error:
        log.debug("%s is passed over: %s", raw.topic, error)
        return None
