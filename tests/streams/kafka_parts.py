"""Topics, producers and readers for the tests of this room that need a real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kafka import KafkaAdminClient

from siftstream.streams.settings import KafkaSettings, PipelineSettings


def settings(broker: str, **more: Any) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=broker, **more)


def make_topics(broker: str, topics: Mapping[str, Mapping[str, str]], partitions: int = 1) -> None:
    """Create topics with these settings, and wait until they are there."""
    admin = KafkaAdminClient(bootstrap_servers=broker)
    try:
        options = {"num_partitions": partitions, "replication_factor": 1}
        admin.create_topics({name: {**options, "configs": dict(more)} for name, more in topics.items()})
        admin.wait_for_topics(list(topics))
    finally:
        admin.close()


@asynccontextmanager
async def producer(broker: str) -> AsyncIterator[AIOKafkaProducer]:
    made = AIOKafkaProducer(bootstrap_servers=broker, acks="all")
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def send(broker: str, topic: str, values: Sequence[bytes | None], partition: int = 0) -> None:
    """Write records whose keys are their values' first bytes."""
    async with producer(broker) as made:
        futures = [
            await made.send(topic, value, key=(value or b"gone")[:8], partition=partition) for value in values
        ]
        await asyncio.gather(*futures)


@asynccontextmanager
async def reader(broker: str, topic: str, partitions: int = 1) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of the whole topic from its beginning, without a group."""
    made = AIOKafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest", fetch_max_wait_ms=50)
    await made.start()
    try:
        made.assign([TopicPartition(topic, partition) for partition in range(partitions)])
        await made.seek_to_beginning()
        yield made
    finally:
        await made.stop()


async def read_until(
    consumer: AIOKafkaConsumer, enough: Callable[[list[Any]], bool], within: float = 30.0
) -> list[Any]:
    """Return the records read when there are enough, or when the time is over."""
    records: list[Any] = []
    end = asyncio.get_running_loop().time() + within
    while not enough(records) and asyncio.get_running_loop().time() < end:
        for found in (await consumer.getmany(timeout_ms=100)).values():
            records += found
    return records


def pipeline(prefix: str, partitions: int = 2) -> PipelineSettings:
    return PipelineSettings(name=prefix, partitions=partitions)
