"""Both ends of a pipeline in one process: it sends URIs and notes, by one clock, when scores are read."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from siftstream.bench.failed import BenchFailed
from siftstream.schemas import DataUri, Scores
from siftstream.settings import Settings

ANSWER_WITHIN_S: Final = 60.0
Hear = Callable[[Scores, float], None]


class Ends:
    """Both ends of a pipeline: it sends URIs and notes when their scores are read."""

    def __init__(
        self, settings: Settings, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer, hear: Hear
    ) -> None:
        """Args: the pipeline; a producer; a consumer that stands at the end of `scores`; what hears of each
        micro-batch of scores, with the clock's time.
        """
        self._topic = settings.pipeline.topic(DataUri.topic)
        self._producer, self._consumer, self._hear = producer, consumer, hear
        self._waiting: dict[str, float] = {}
        self.sent = 0
        self.scored = asyncio.Event()  # set whenever scores came
        self.seconds: list[float] = []  # of each sample that was scored, in the order of the scores

    @property
    def under_way(self) -> int:
        """Samples sent and not scored."""
        return len(self._waiting)

    async def send(self, uri: str) -> None:
        """Send one URI under an id of its own."""
        self.sent += 1
        event = DataUri(uri=uri, sample_id=f"sample-{self.sent:08d}")
        self._waiting[event.sample_id] = time.perf_counter()
        await self._producer.send(self._topic, event.encode(), key=event.key)

    async def answered(self) -> None:
        """Return when every URI sent has its score.

        Raises:
            BenchFailed: there was no score for a minute.
        """
        while self._waiting:
            self.scored.clear()
            try:
                await asyncio.wait_for(self.scored.wait(), ANSWER_WITHIN_S)
            except TimeoutError:
                raise BenchFailed(
                    f"{self.under_way} of {self.sent} samples had no score within"
                    f" {ANSWER_WITHIN_S:g} s; the stages' logs say why"
                ) from None

    async def read(self) -> None:
        """Read scores for ever."""
        while True:
            found: dict[Any, list[Any]] = await self._consumer.getmany(timeout_ms=1000)
            now = time.perf_counter()
            for record in (record for records in found.values() for record in records):
                scores = Scores.decode(record.value)
                self._hear(scores, now)
                for name in scores.sample_ids:
                    if (began := self._waiting.pop(name, None)) is not None:
                        self.seconds.append(now - began)
                self.scored.set()


@asynccontextmanager
async def ends(settings: Settings, hear: Hear = lambda scores, now: None) -> AsyncGenerator[Ends, None]:
    """Connect to both ends of a pipeline for as long as the block lasts; `hear` gets all scores."""
    options = settings.kafka.client_options()
    producer = AIOKafkaProducer(**options)
    consumer = AIOKafkaConsumer(**options, enable_auto_commit=False)
    await producer.start()
    try:
        await consumer.start()
        try:
            topic = settings.pipeline.topic(Scores.topic)
            consumer.assign([TopicPartition(topic, n) for n in range(settings.pipeline.partitions)])
            await consumer.seek_to_end()
            made = Ends(settings, producer, consumer, hear)
            reading = asyncio.create_task(made.read())
            try:
                yield made
            finally:
                reading.cancel()
                await asyncio.wait([reading])
        finally:
            await consumer.stop()
    finally:
        await producer.stop()
