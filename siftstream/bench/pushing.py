"""The process that pushes: one URI a record, or many in one, as fast as Kafka takes them.

It says `{}` when it is connected, then does what each line of standard input says: `{"topic", "shape",
"file"}` with `ID<tab>URI` lines in the file. It answers with the times of the first and the last record, and
ends when standard input does.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import IO, Any, TypeVar

from aiokafka import AIOKafkaProducer

from siftstream.streams.partition import partitions_of_ids

ONE, MANY = "one URI a record", "bulk records"
SHAPES = (ONE, MANY)
A_RECORD = 128  # URIs in a bulk record
A_BATCH = 512  # records that are sent together
BYTES = 1 << 20
Pair = Sequence[str]
T = TypeVar("T")
Placed = tuple[int, list[tuple[bytes | None, bytes]]]  # a partition, and records for it


def event(pair: Pair) -> dict[str, Any]:
    """Return a sample as it stands in a record."""
    return {"schema_version": 1, "uri": pair[1], "sample_id": pair[0], "event_time": time.time()}


def one_a_record(pairs: Sequence[Pair], partitions: int) -> Iterator[Placed]:
    """Yield records of one URI, keyed by the sample id, where Kafka's own partitioner puts them."""
    for lot in lots(pairs, A_BATCH):
        placed: dict[int, list[tuple[bytes | None, bytes]]] = {}
        places = partitions_of_ids([pair[0] for pair in lot], partitions)
        for pair, partition in zip(lot, places, strict=True):
            record = pair[0].encode(), json.dumps(event(pair)).encode()
            placed.setdefault(partition, []).append(record)
        yield from placed.items()


def many_a_record(pairs: Sequence[Pair], partitions: int) -> Iterator[Placed]:
    """Yield records of many URIs without a key, in turn for each partition."""
    for lot, partition in zip(lots(pairs, A_RECORD), cycle(range(partitions)), strict=False):
        yield partition, [(None, json.dumps([event(pair) for pair in lot]).encode())]


def lots(pairs: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield so many at a time.

    >>> list(lots("abcde", 2))
    ['ab', 'cd', 'e']
    """
    return (pairs[start : start + size] for start in range(0, len(pairs), size))


async def push(producer: Any, topic: str, shape: str, pairs: Sequence[Pair]) -> tuple[float, float]:
    """Send every sample; return when the first was handed over and when the last was acknowledged."""
    partitions = len(await producer.partitions_for(topic))
    made = many_a_record if shape == MANY else one_a_record
    began = time.time()
    sent: list[Any] = []
    for partition, records in made(pairs, partitions):
        sent += await send(producer, topic, partition, records)
    await asyncio.gather(*sent)
    return began, time.time()


async def send(
    producer: Any, topic: str, partition: int, records: Sequence[tuple[bytes | None, bytes]]
) -> list[Any]:
    """Hand records over as record batches, as many as they need; return what waits for each."""
    sent: list[Any] = []
    batch = producer.create_batch()
    for key, value in records:
        if batch.append(key=key, value=value, timestamp=None) is None:
            sent.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
    return [*sent, await producer.send_batch(batch, topic, partition=partition)]


def read(file: Path) -> list[Pair]:
    """Return the samples of a list."""
    return [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]


async def obey(bootstrap: str, lines: IO[str], answers: IO[str]) -> None:
    """Do what each line says."""
    producer: Any = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=BYTES, acks="all")
    await producer.start()
    try:
        print("{}", file=answers, flush=True)
        while line := await asyncio.to_thread(lines.readline):
            asked = json.loads(line)
            pairs = read(Path(asked["file"]))
            first, last = await push(producer, asked["topic"], asked["shape"], pairs)
            print(json.dumps({"first": first, "last": last}), file=answers, flush=True)
    finally:
        await producer.stop()


if __name__ == "__main__":
    asyncio.run(obey(sys.argv[1], sys.stdin, sys.stdout))
