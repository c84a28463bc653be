"""The Faust app of one stage, with every setting that safety and speed asked for."""

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, cast

import faust
from faust.tables import TableManager
from yarl import URL

from siftstream.schemas import Event, MicroBatch
from siftstream.schemas.errors import ConfigError
from siftstream.streams import transport
from siftstream.streams.emit import Emitter
from siftstream.streams.liveness import watch
from siftstream.streams.settings import KafkaSettings, PipelineSettings


class NoTables(TableManager):
    """Faust's table manager for apps without tables: it starts at once.

    The stock one sleeps a second first, so that tables declared late are seen; ours has none (state is
    the log). What it starts is the same, the rebalance needs it.
    """

    async def on_start(self) -> None:
        """Start what a rebalance waits for."""
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()


class StageApp(faust.App):
    """A Faust app that knows its stage, its pipeline and how to emit."""

    stage: str
    pipeline: PipelineSettings
    kafka: KafkaSettings
    emitter: Emitter

    @property
    def safe_consumer(self) -> transport.Consumer:
        """The consumer as our transport makes it: with ledgers, floors and commit metadata."""
        return cast(transport.Consumer, self.consumer)

    def close_at_stop(self, close: Callable[[], Awaitable[None]]) -> None:
        """Let `close` run when the app has stopped: views and readers have connections of their own."""
        self._closing = [*getattr(self, "_closing", []), close]

    def first(self, check: Callable[[], Awaitable[None]]) -> None:
        """Let `check` run before anything is read; what it raises ends the start."""
        self._first = [*getattr(self, "_first", []), check]

    async def on_first_start(self) -> None:
        """Check what must hold before the first record."""
        for check in getattr(self, "_first", []):
            await check()
        await super().on_first_start()

    async def on_shutdown(self) -> None:
        """Close what the stage opened."""
        await super().on_shutdown()
        for close in getattr(self, "_closing", []):
            await close()

    def source(self, topic: type[Event] | type[MicroBatch]) -> Any:
        """The channel of one of the design's topics, as raw bytes (decoding is the agent's)."""
        return self.topic(
            self.pipeline.topic(topic.topic), value_type=bytes, key_type=bytes,
            value_serializer="raw", key_serializer="raw",
        )  # fmt: skip


def make_app(
    stage: str,
    pipeline: PipelineSettings,
    kafka: KafkaSettings,
    *,
    state_dir: Path,
    group: str | None = None,
    instance: str | None = None,
    floors: Iterable[str] = (),
    coalesced: Iterable[str] = (),
    buffer: int = 256,
) -> StageApp:
    """Return the Faust app of `stage`, not started.

    Args:
        stage: Its name; also the consumer group's last part.
        pipeline: Names and partitions.
        kafka: The cluster.
        state_dir: Where Faust may keep a cache; nothing there is needed again.
        group: Another consumer group than the stage's own (trainers are one each).
        instance: Static member id: a worker that comes back under it gets its partitions at once.
        floors: Topics (design names) committed by floor.
        coalesced: Topics (design names) of one small event a record, handed out in bunches.
        buffer: Records, or bunches of them, buffered a partition.

    Raises:
        ConfigError: no cluster is named.
    """
    if not kafka.servers:
        raise ConfigError(
            "kafka.bootstrap_servers is not set: set KAFKA_BOOTSTRAP_SERVERS or the setting,"
            " or run `siftstream up`, which starts a local broker"
        )
    datadir = state_dir / "faust"
    try:
        datadir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"state: {datadir} cannot be made: {error.strerror}; choose another folder"
        ) from error
    app = StageApp(
        group or pipeline.group(stage),
        broker=[URL(f"{transport.SCHEME}://{server}") for server in kafka.servers],
        broker_credentials=kafka.faust_credentials(),
        datadir=datadir / (instance or stage),
        key_serializer="raw", value_serializer="raw",
        topic_allow_declare=False, topic_disable_leader=True, autodiscover=False, web_enabled=False,
        table_standby_replicas=1,  # keeps Faust's own assignor: even, sticky, co-partitioned
        consumer_group_instance_id=instance,
        consumer_auto_offset_reset="earliest", consumer_max_fetch_size=transport.FETCH_BYTES,
        broker_session_timeout=6.0, broker_heartbeat_interval=1.0, broker_rebalance_timeout=60.0,
        broker_commit_interval=0.5, broker_commit_livelock_soft_timeout=kafka.stall_limit,
        broker_max_poll_records=500, stream_buffer_maxsize=buffer, stream_wait_empty=True,
        stream_recovery_delay=0.0,
        producer_linger=0.0,  # what the emitter sends is a whole batch: nothing could join it
        producer_max_batch_size=transport.MAX_BATCH_BYTES,
        producer_max_request_size=transport.MAX_REQUEST_BYTES,
        producer_compression_type=None if kafka.compression == "none" else kafka.compression,
        TableManager=NoTables,
        agent_supervisor="mode.CrashingSupervisor",
    )  # fmt: skip
    app.stage, app.pipeline, app.kafka = stage, pipeline, kafka
    safe: Any = app.transport
    safe.floors = frozenset(pipeline.topic(name) for name in floors)
    safe.coalesced = frozenset(pipeline.topic(name) for name in coalesced)
    app.emitter = Emitter(app, pipeline, deadline=kafka.emit_deadline)
    app.task(watch(app, kafka.stall_limit))
    return app
