"""A stream of scored samples for tests of select: the same by its seed, wherever it is written."""

from collections.abc import Iterator
from functools import cache

import numpy as np
from kafka import KafkaProducer
from numpy.typing import NDArray

from siftstream.schemas import Scores
from siftstream.streams.partition import partitions_of_ids

CLASSES = ("a", "b", "c", "d")
DIM = 16


def batch_of(
    ids: list[str], *, seed: int = 0, version: str = "v1", encoder: str = "e", dim: int = DIM,
    times: list[float] | None = None, source: int = -1, again: bool = False,
) -> Scores:  # fmt: skip
    """Scores of these samples; what the model says of one hangs on its id, seed and version alone."""
    drawn = np.stack([_drawn(name, seed, version, dim) for name in ids])
    weights = drawn[:, : len(CLASSES)]
    probs = (weights / weights.sum(axis=1, keepdims=True))[:, None].astype(np.float32)
    return Scores(
        ids, [f"file:///{name}" for name in ids], np.array(times or [0.0] * len(ids)), [{} for _ in ids],
        probs, drawn[:, len(CLASSES) :].astype(np.float16),
        model_version=version, encoder=encoder, source=source, again=again,
    )  # fmt: skip


@cache
def _drawn(name: str, seed: int, version: str, dim: int) -> NDArray[np.float64]:
    """Random numbers that belong to a sample."""
    return np.random.default_rng([seed, *name.encode(), *version.encode()]).random(len(CLASSES) + dim)


def records_of(
    count: int, partitions: int, *, each: int = 100, seed: int = 0
) -> Iterator[tuple[int, Scores]]:
    """Yield micro-batches of `count` samples on their partitions, in an order that mixes partitions.

    Event times grow by a second a sample, with jitter; a sample in fifty comes again.
    """
    rng = np.random.default_rng(seed)
    names = [f"s{number}" for number in range(count)]
    for number in range(50, count, 50):
        names[number] = names[number - int(rng.integers(1, 50))]
    homes = partitions_of_ids(names, partitions)
    waiting: list[list[tuple[str, float]]] = [[] for _ in range(partitions)]
    for number, (name, home) in enumerate(zip(names, homes, strict=True)):
        waiting[home].append((name, 1_000_000.0 + number + float(rng.normal(scale=3))))
        if len(waiting[home]) == each:
            yield home, _quick([*waiting[home]], seed)
            waiting[home].clear()
    for home, rest in enumerate(waiting):
        if rest:
            yield home, _quick(rest, seed)


def _quick(rows: list[tuple[str, float]], seed: int) -> Scores:
    """Scores of one record, drawn together: a record is the same wherever it is written."""
    rng = np.random.default_rng([seed, *rows[0][0].encode()])
    ids = [name for name, _ in rows]
    return Scores(
        ids, [f"file:///{name}" for name in ids], np.array([time for _, time in rows]), [{} for _ in ids],
        rng.dirichlet(np.ones(len(CLASSES)), (len(ids), 1)).astype(np.float32),
        rng.normal(size=(len(ids), DIM)).astype(np.float16), model_version="v1", encoder="e",
    )  # fmt: skip


def write(bootstrap: str, topic: str, records: Iterator[tuple[int, Scores]]) -> int:
    """Write micro-batches to a topic; return how many samples."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=20, batch_size=1 << 20)
    samples = 0
    try:
        for partition, batch in records:
            producer.send(topic, batch.encode(), partition=partition)
            samples += len(batch)
        producer.flush(60)
    finally:
        producer.close()
    return samples
