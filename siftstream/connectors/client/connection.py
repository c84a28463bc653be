"""The connection to the cluster: one producer, the topics' ends, and readers that begin where one likes."""

import asyncio
import logging
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    MessageSizeTooLargeError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
)

from siftstream.connectors.client.settings import Configured
from siftstream.schemas.errors import ConfigError, SchemaError, UnavailableError
from siftstream.streams.record import Record

NEEDED: Final = ("data-uris", "scores", "selected", "labels", "queries", "offers", "dead-letters")
RECORD_BYTES: Final = 8 << 20
QUIET: Final = logging.NullHandler()
WAIT_MS: Final = 50  # of a fetch, at the broker
NOT_ALLOWED: Final = (
    AuthenticationFailedError, SaslAuthenticationFailed, ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError, TopicAuthorizationFailedError,
)  # fmt: skip

Places = dict[TopicPartition, int]
"""The offset to be read next, by partition."""


class Connection:
    """A cluster and the pipeline on it."""

    def __init__(self, settings: Configured) -> None:
        """Args: where it is."""
        # what the driver says is said again in our errors: it is for those who have set up logging
        logging.getLogger("aiokafka").addHandler(QUIET)
        self._settings = settings
        self._producer: Any = None
        self._consumer: Any = None
        self._admin: Any = None
        self._counts: dict[str, int] = {}  # partitions by topic

    @property
    def servers(self) -> str:
        """Kafka's address."""
        return self._settings.kafka.bootstrap_servers or ""

    @property
    def partitions(self) -> int:
        """How many partitions a parallel topic has."""
        return self._counts[self.topic("scores")]

    @property
    def options(self) -> dict[str, Any]:
        """What every client of the cluster needs to connect."""
        return self._settings.kafka.client_options()

    def topic(self, name: str) -> str:
        """The topic's name on the cluster."""
        return self._settings.pipeline.topic(name)

    async def start(self) -> None:
        """Connect, and learn the number of partitions.

        Raises:
            UnavailableError: nothing answers; ConfigError: no such pipeline there, or no right to use it.
        """
        try:
            with kafka_errors(self.servers):
                self._admin = AIOKafkaAdminClient(**self.options)
                await self._admin.start()
                self._look(await self._admin.describe_topics())
                self._consumer = consumer_of(self)
                await self._consumer.start()
                self._producer = AIOKafkaProducer(
                    acks="all", enable_idempotence=True, linger_ms=5, max_batch_size=256 << 10,
                    max_request_size=RECORD_BYTES, **self.options,
                )  # fmt: skip
                await self._producer.start()
        except BaseException:
            await self.stop()
            raise

    def _look(self, topics: list[dict[str, Any]]) -> None:
        there = {topic["topic"]: len(topic["partitions"]) for topic in topics}
        missing = [self.topic(name) for name in NEEDED if self.topic(name) not in there]
        if missing:
            others = sorted(
                {name.removesuffix(".data-uris") for name in there if name.endswith(".data-uris")}
            )
            known = f"; pipelines there: {', '.join(others)}" if others else ""
            raise ConfigError(
                f"Kafka at {self.servers} has no topic {missing[0]}: does the pipeline run (`siftstream up`),"
                f" and is this its name{known}?"
            )
        self._counts = there

    async def stop(self) -> None:
        """Send what is under way, and disconnect."""
        admin, self._admin = self._admin, None
        consumer, self._consumer = self._consumer, None
        producer, self._producer = self._producer, None
        with kafka_errors(self.servers):
            if admin is not None:
                await admin.close()
            if consumer is not None:
                await consumer.stop()
            if producer is not None:
                await producer.stop()

    async def ends(self, name: str) -> Places:
        """Return where each partition of a topic (design name) ends now."""
        topic = self.topic(name)
        with kafka_errors(self.servers):
            places = [TopicPartition(topic, partition) for partition in range(self._counts[topic])]
            return await self._consumer.end_offsets(places)

    async def committed(self, stage: str, places: Iterable[TopicPartition]) -> Places:
        """Return what the group of a stage has committed of these partitions."""
        with kafka_errors(self.servers):
            found = await self._admin.list_consumer_group_offsets(
                self._settings.pipeline.group(stage), partitions=list(places)
            )
        return {place: commit.offset for place, commit in found.items()}

    async def send(
        self, name: str, value: bytes, key: bytes | None = None, partition: int | None = None
    ) -> Any:
        """Put a record under way; return the future of its acknowledgement."""
        with kafka_errors(self.servers):
            return await self._producer.send(self.topic(name), value, key=key, partition=partition)

    async def acknowledged(self, future: Any) -> Any:
        """Wait until a record is in the log; return where."""
        with kafka_errors(self.servers):
            return await future


class Tail:
    """A reader of some partitions, each from its place on; `places` goes on with it."""

    def __init__(self, connection: Connection, places: Mapping[TopicPartition, int]) -> None:
        """Args: the cluster; the offset to be read next, by partition."""
        self._connection = connection
        self._consumer: Any = None
        self.places = dict(places)

    async def __aenter__(self) -> Self:
        with kafka_errors(self._connection.servers):
            self._consumer = consumer_of(self._connection)
            try:
                await self._consumer.start()
                self._consumer.assign(list(self.places))
                for place, offset in self.places.items():
                    self._consumer.seek(place, offset)
            except BaseException:
                await self._consumer.stop()
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with kafka_errors(self._connection.servers):
            await self._consumer.stop()

    async def more(self, within: float) -> list[Record]:
        """Return what came, or nothing after `within` seconds."""
        with kafka_errors(self._connection.servers):
            found = await self._consumer.getmany(timeout_ms=max(1, int(within * 1000)))
            for place in self.places:
                self.places[place] = await self._consumer.position(place)
        return [Record.of_consumer(raw) for records in found.values() for raw in records]


def consumer_of(connection: Connection) -> Any:
    """Return a consumer without a group."""
    return AIOKafkaConsumer(
        group_id=None, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=WAIT_MS,
        max_partition_fetch_bytes=RECORD_BYTES, **connection.options,
    )  # fmt: skip


@contextmanager
def kafka_errors(servers: str) -> Generator[None]:
    """Turn the driver's errors into ours.

    Raises:
        SchemaError: a record is too large; ConfigError: we are not allowed; UnavailableError: all else.
    """
    try:
        yield
    except MessageSizeTooLargeError as error:
        raise SchemaError("a record is larger than Kafka takes: give fewer or shorter values") from error
    except NOT_ALLOWED as error:
        raise ConfigError(f"Kafka at {servers} does not let us: {error!r}; see the user's rights") from error
    except KafkaError as error:
        raise UnavailableError(
            f"Kafka at {servers} does not answer: {error}; is it up, is the address right?"
        ) from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # nobody has cancelled us: the driver has dropped a request of its own when the broker went away
        raise UnavailableError(f"Kafka at {servers} went away; is it up?") from error
