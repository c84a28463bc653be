"""Where a sample lives: Kafka's own murmur2 placement, the same in every stage."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
from aiokafka.partitioner import murmur2
from numpy.typing import NDArray

FEW: Final = 12  # keys for which a loop is as fast


def partition_of(sample_id: str, partitions: int) -> int:
    """Return the partition of a sample, as Kafka's Java client places the same key.

    >>> partition_of("sample-1", 4)
    3
    """
    return partition_of_key(sample_id.encode(), partitions)


def partition_of_key(key: bytes, partitions: int) -> int:
    """Return the partition of a record key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def partitions_of_ids(sample_ids: Sequence[str], partitions: int) -> list[int]:
    """Return the partition of each sample: `partition_of` for many, ids of one length hashed together.

    >>> ids = [f"sample-{n}" for n in range(100)]
    >>> partitions_of_ids(ids, 7) == [partition_of(name, 7) for name in ids]
    True
    """
    keys = [name.encode() for name in sample_ids]
    if len(keys) < FEW:
        return [partition_of_key(key, partitions) for key in keys]
    found = [0] * len(keys)
    by_width: dict[int, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        by_width[len(key)].append(place)
    for width, places in by_width.items():
        together = np.frombuffer(b"".join([keys[place] for place in places]), np.uint8)
        hashes = _murmur2(together.reshape(len(places), width))
        for place, partition in zip(places, ((hashes & 0x7FFFFFFF) % partitions).tolist(), strict=True):
            found[place] = partition
    return found


def _murmur2(keys: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return Kafka's 32-bit murmur2 of each row of bytes (Appleby 2008)."""
    count, width = keys.shape
    mix, seed = np.uint32(0x5BD1E995), np.uint32(0x9747B28C)
    found = np.full(count, seed ^ np.uint32(width), np.uint32)
    whole = width & ~3
    for column in np.ascontiguousarray(keys[:, :whole]).view("<u4").T if whole else ():
        word = column * mix
        word ^= word >> np.uint32(24)
        word *= mix
        found *= mix
        found ^= word
    for place in range(width - 1, whole - 1, -1):  # the bytes that are left, the last one highest
        found ^= keys[:, place].astype(np.uint32) << np.uint32(8 * (place - whole))
    if width > whole:
        found *= mix
    found ^= found >> np.uint32(13)
    found *= mix
    return found ^ (found >> np.uint32(15))
