"""Kafka alone: the same bytes as the line's, produced and consumed by nobody who looks at them."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from siftstream.bench.encoders import CLASSES, Model
from siftstream.bench.load import FOURTH, PARTITIONS
from siftstream.bench.running import cpu_seconds
from siftstream.bench.workbench import Workbench
from siftstream.schemas import Features, Scores
from siftstream.settings import Settings
from siftstream.settings.load import settings_from
from siftstream.streams.topics import ensure_topics

A_RECORD = 128
URI_BYTES, SELECTED_BYTES = 160, 600
MOST = 8 << 20
KEY = b"k"  # compacted topics refuse records without one
Figures = dict[str, Any]
Plan = dict[str, tuple[bytes, int]]  # a record of each topic, and how often it is sent


def kafka_alone(bench: Workbench, model: Model, dim: int, count: int) -> Figures:
    """Send what `count` samples are in each of the line's topics, while it is read; return the rate."""
    settings = settings_from(bench.config("kafka", model))
    ensure_topics(settings.kafka, settings.pipeline)
    plan = {
        settings.pipeline.topic(name): records for name, records in planned(model.side, dim, count).items()
    }
    processes = {"broker": psutil.Process(bench.broker.pid), "clients": psutil.Process()}
    before = {name: cpu_seconds(process) for name, process in processes.items()}
    began = time.perf_counter()
    asyncio.run(_both(settings, plan))
    seconds = time.perf_counter() - began
    cpu = {name: 1e6 * (cpu_seconds(p) - before[name]) / count for name, p in processes.items()}
    sent = sum(len(value) * times for value, times in plan.values())
    return {
        "samples": count, "seconds": seconds, "samples_a_second": count / seconds, "cpu_us": cpu,
        "bytes_a_sample": sent / count,
    }  # fmt: skip


def planned(side: int, dim: int, count: int) -> Plan:
    """Return one record of each topic as the line makes it, and how many of it `count` samples need."""
    size = max(1, min(A_RECORD, 768 * 1024 // (3 * side * side)))
    ids, uris = ["0" * 32] * size, ["u" * URI_BYTES] * size
    times, none = np.zeros(size), [{}] * size
    pictures = np.random.default_rng(0).integers(0, 255, (size, 3, side, side), np.uint8)
    probs = np.full((size, 1, len(CLASSES)), 1 / len(CLASSES), np.float32)
    features = Features(ids, uris, times, none, {"image": pictures}, [bytes(32)] * size)
    scores = Scores(ids, uris, times, none, probs, np.zeros((size, dim), np.float16), "bench", "e")
    lots = -(-count // size)
    return {
        "data-uris": (bytes(URI_BYTES * A_RECORD), -(-count // A_RECORD)),
        "features": (features.encode(), lots), "scores": (scores.encode(), lots),
        "selected": (bytes(SELECTED_BYTES), count // FOURTH),
    }  # fmt: skip


async def _both(settings: Settings, plan: Plan) -> None:
    servers = ",".join(settings.kafka.servers)
    consumer: Any = AIOKafkaConsumer(
        bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest",
        max_partition_fetch_bytes=MOST, fetch_max_wait_ms=50,
    )  # fmt: skip
    producer: Any = AIOKafkaProducer(bootstrap_servers=servers, max_request_size=MOST, linger_ms=3)
    await consumer.start()
    await producer.start()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_consume(consumer, plan))
            tasks.create_task(_produce(producer, plan))
    finally:
        await producer.stop()
        await consumer.stop()


async def _produce(producer: Any, plan: Plan) -> None:
    waiting: list[Any] = []
    for number, (topic, value) in enumerate(in_turn(plan)):
        waiting.append(await producer.send(topic, value, KEY, partition=number % PARTITIONS))
    await asyncio.gather(*waiting)


async def _consume(consumer: Any, plan: Plan) -> None:
    parts = [TopicPartition(topic, part) for topic in plan for part in range(PARTITIONS)]
    consumer.assign(parts)
    await consumer.seek_to_beginning(*parts)
    left = sum(times for _, times in plan.values())
    while left > 0:
        found = await consumer.getmany(timeout_ms=50)
        left -= sum(map(len, found.values()))


def in_turn(plan: Plan) -> Iterator[tuple[str, bytes]]:
    """Yield the records of all topics as a stream would: each topic evenly spread.

    >>> [topic for topic, _ in in_turn({"a": (b"", 2), "b": (b"", 4)})]
    ['a', 'b', 'b', 'a', 'b', 'b']
    """
    most = max(times for _, times in plan.values())
    for step in range(most):
        for topic, (value, times) in plan.items():
            for _ in range(-(-(step + 1) * times // most) - -(-step * times // most)):
                yield topic, value
