"""The infer stage alone, fed from Kafka: features lie there before it starts."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from aiokafka import AIOKafkaProducer

from siftstream.bench.decoding import ready
from siftstream.bench.encoders import Model, published
from siftstream.bench.failed import BenchFailed
from siftstream.bench.load import PARTITIONS, samples
from siftstream.bench.pushing import lots
from siftstream.bench.reading import reading
from siftstream.bench.running import Running
from siftstream.bench.span import rate_within
from siftstream.bench.workbench import Workbench
from siftstream.schemas import Features
from siftstream.settings import Settings
from siftstream.streams.partition import partitions_of_ids
from siftstream.streams.topics import ensure_topics

RECORD_BYTES = 768 * 1024  # as fetch packs them
RECORD_SAMPLES = 128
Figures = dict[str, Any]


def infer_alone(bench: Workbench, model: Model, onnx: bytes, count: int) -> Figures:
    """Produce features, start infer, and return its rate between a tenth and nine tenths of the scores.

    Raises:
        BenchFailed: infer ended, or nothing moved for a minute.
    """
    config = bench.config("infer", model)
    name = config["pipeline"]["name"]
    running = Running(config, folder=bench.folder / name, stages=("infer",))
    ensure_topics(running.settings.kafka, running.settings.pipeline)
    published(running.settings, onnx)
    pairs = samples(name, bench.uris(model.side, count), count)
    return asyncio.run(_run(running, pairs))


async def _run(running: Running, pairs: list[tuple[str, str]]) -> Figures:
    async with reading(running.settings) as read:
        since = await read.ends("scores", "dead-letters")
        await fill(running.settings, pairs)
        with running:
            await read.count("scores", since, len(pairs), running.check)
            used = running.usage()["infer"]
        rate = rate_within(await read.rows("scores", since))
    if rate is None:
        raise BenchFailed(f"infer alone: {len(pairs)} samples are too few for a rate; use a larger --count")
    return {"samples": len(pairs), "samples_a_second": rate, "peak_mb": {"infer": used.peak_bytes / 2**20}}


async def fill(settings: Settings, pairs: list[tuple[str, str]]) -> None:
    """Write micro-batches of decoded pictures as fetch would."""
    places = partitions_of_ids([pair[0] for pair in pairs], PARTITIONS)
    topic = settings.pipeline.topic("features")
    producer: Any = AIOKafkaProducer(
        bootstrap_servers=",".join(settings.kafka.servers), max_request_size=8 << 20
    )
    await producer.start()
    try:
        for partition in range(PARTITIONS):
            mine = [pair for pair, place in zip(pairs, places, strict=True) if place == partition]
            for value in encoded(mine):
                await producer.send_and_wait(topic, value, partition=partition)
    finally:
        await producer.stop()


def encoded(pairs: Sequence[tuple[str, str]]) -> Iterator[bytes]:
    """Yield micro-batches of pictures, packed as fetch does."""
    at_once = max(1, min(RECORD_SAMPLES, RECORD_BYTES // ready([pairs[0][1]]).nbytes))
    for lot in lots(pairs, at_once):
        ids, uris = [one for one, _ in lot], [uri for _, uri in lot]
        times, none = np.full(len(lot), time.time()), [bytes(32)] * len(lot)
        yield Features(ids, uris, times, [{}] * len(lot), {"image": ready(uris)}, none).encode()
