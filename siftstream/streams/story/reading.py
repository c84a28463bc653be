"""Stretches of a topic, read by a plain consumer without a group: nobody's place in the log moves."""

from collections.abc import AsyncGenerator, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from siftstream.schemas.errors import ConfigError, UnavailableError
from siftstream.streams.record import Record
from siftstream.streams.settings import KafkaSettings, PipelineSettings
from siftstream.streams.topics import TOPICS

AT_ONCE: Final = 8 << 20  # bytes of one partition in memory


class Stretch(NamedTuple):
    """Offsets of one partition, the end excluded."""

    first: int
    end: int


class LogReader:
    """Reads the topics of a pipeline; `async with` opens and closes the connection."""

    def __init__(self, kafka: KafkaSettings, pipeline: PipelineSettings) -> None:
        self._kafka = kafka
        self._pipeline = pipeline
        self._consumer: Any = None
        self._partitions: dict[str, list[int]] = {}  # by the topic's name on the cluster

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            UnavailableError: the cluster does not answer.
        """
        self._consumer = AIOKafkaConsumer(
            group_id=None, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=20,
            check_crcs=False, fetch_max_bytes=4 * AT_ONCE, max_partition_fetch_bytes=AT_ONCE,
            **self._kafka.client_options(),
        )  # fmt: skip
        try:
            await self._consumer.start()  # first: stopped before it has run once, it raises
            self._partitions = await self._counted()
        except BaseException as error:
            await self._consumer.stop()
            raise self._away(error) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self._consumer.stop()

    def partitions(self, topic: str) -> list[int]:
        """Return the partitions of a topic (design name); none where it is not there."""
        return self._partitions.get(self._pipeline.topic(topic), [])

    def required(self, topic: str) -> list[int]:
        """Return the partitions of a topic (design name).

        Raises:
            ConfigError: it is not there.
        """
        found = self.partitions(topic)
        if not found:
            name = self._pipeline.topic(topic)
            raise ConfigError(
                f"the topic {name} is not there: is pipeline.name right?"
                " `siftstream topics` lists the pipeline's topics"
            )
        return found

    async def stretches(
        self, topic: str, partitions: Iterable[int], since: float | None = None
    ) -> dict[int, Stretch]:
        """Return what each partition holds, or what was written since a moment (seconds since the epoch).

        Raises:
            UnavailableError: the cluster does not answer.
        """
        places = [TopicPartition(self._pipeline.topic(topic), partition) for partition in partitions]
        if not places:
            return {}
        try:
            firsts = await self._consumer.beginning_offsets(places)
            ends = await self._consumer.end_offsets(places)
            if since is not None:
                moment = max(0, int(since * 1000))
                found = await self._consumer.offsets_for_times(dict.fromkeys(places, moment))
                later = {place: at.offset if at else ends[place] for place, at in found.items()}
                firsts = {place: max(firsts[place], later[place]) for place in places}
        except KafkaError as error:
            raise self._away(error) from error
        return {place.partition: Stretch(firsts[place], ends[place]) for place in places}

    async def read(self, topic: str, stretches: Mapping[int, Stretch]) -> AsyncGenerator[Record, None]:
        """Yield what stands in the stretches; within a partition in order, at most a few MiB in memory.

        Raises:
            UnavailableError: the cluster does not answer.
        """
        name = self._pipeline.topic(topic)
        left = {TopicPartition(name, p): s for p, s in stretches.items() if s.first < s.end}
        if not left:
            return
        try:
            self._consumer.assign(list(left))
            for place, stretch in left.items():
                self._consumer.seek(place, stretch.first)
            while left:
                got = await self._consumer.getmany(*left, timeout_ms=200, max_records=1000)
                for place, records in got.items():
                    for raw in records:
                        if raw.offset < left[place].end:
                            yield Record.of_consumer(raw)
                for place in list(left):
                    if await self._consumer.position(place) >= left[place].end:
                        del left[place]
                        self._consumer.pause(place)
        except KafkaError as error:
            raise self._away(error) from error

    async def _counted(self) -> dict[str, list[int]]:
        """Ask for the partitions of those of the pipeline's topics that are there."""
        admin: Any = AIOKafkaAdminClient(**self._kafka.client_options())
        try:
            await admin.start()
            ours = {self._pipeline.topic(spec.name) for spec in TOPICS}
            there = sorted(ours & set(await admin.list_topics()))
            described: list[Any] = await admin.describe_topics(there) if there else []
        finally:
            await admin.close()
        return {
            topic["topic"]: sorted(one["partition"] for one in topic["partitions"]) for topic in described
        }

    def _away(self, error: BaseException) -> BaseException:
        if not isinstance(error, KafkaError):
            return error
        servers = self._kafka.bootstrap_servers
        return UnavailableError(f"Kafka at {servers} does not answer: {error!r}; is it up?")
