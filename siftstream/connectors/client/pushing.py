"""Pushing: events leave together, as arrays of many, each on the partition that its id has."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from siftstream.connectors.client.connection import Connection
from siftstream.schemas import DataUri
from siftstream.schemas.bulk import encode_many
from siftstream.streams.partition import partitions_of_ids

TOGETHER: Final = 128  # events a record at most
TOGETHER_BYTES: Final = 256 << 10  # of a record of many


async def send(connection: Connection, events: Sequence[DataUri]) -> dict[int, int]:
    """Write events; return for each partition the offset after the last one, acknowledged.

    Raises:
        UnavailableError: the cluster does not take them; SchemaError: one is too large.
    """
    by_partition: dict[int, list[DataUri]] = defaultdict(list)
    homes = partitions_of_ids([event.sample_id for event in events], connection.partitions)
    for event, home in zip(events, homes, strict=True):
        by_partition[home].append(event)
    flights: list[tuple[int, Any]] = []
    for home, own in by_partition.items():
        for start in range(0, len(own), TOGETHER):
            for key, value in records(own[start : start + TOGETHER]):
                flights.append((home, await connection.send(DataUri.topic, value, key, home)))
    behind: dict[int, int] = {}
    for home, future in flights:
        behind[home] = (await connection.acknowledged(future)).offset + 1
    return behind


def records(events: Sequence[DataUri]) -> Iterator[tuple[bytes | None, bytes]]:
    """Yield key and value of the records that hold the events; halved where one would be too large.

    >>> events = [DataUri(uri=f"s3://cats/{n}.png", sample_id=f"{n}") for n in range(3)]
    >>> [key for key, _ in records(events)], [key for key, _ in records(events[:1])]
    ([None], [b'0'])
    """
    if len(events) == 1:
        yield events[0].key, events[0].encode()
        return
    value = encode_many(events)
    if len(value) <= TOGETHER_BYTES:
        yield None, value
        return
    middle = len(events) // 2
    yield from records(events[:middle])
    yield from records(events[middle:])
