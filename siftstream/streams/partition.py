"""Where a sample lives: Kafka's own murmur2 placement, the same in every stage."""

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
    width = len(keys[0]) if keys else 0
    if len(keys) < FEW or width % 4 or any(len(key) != width for key in keys):
        return [partition_of_key(key, partitions) for key in keys]
    words = np.frombuffer(b"".join(keys), "<u4").reshape(len(keys), -1)
    return ((_murmur2(words) & 0x7FFFFFFF) % partitions).tolist()


def _murmur2(words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return Kafka's 32-bit murmur2 of each row; all rows are whole words (Appleby 2008)."""
    mix, seed = np.uint32(0x5BD1E995), np.uint32(0x9747B28C)
    found = np.full(len(words), seed ^ np.uint32(words.shape[1] * 4), np.uint32)
    for column in words.T:
        word = column * mix
        word ^= word >> np.uint32(24)
        word *= mix
        found *= mix
        found ^= word
    found ^= found >> np.uint32(13)
    found *= mix
    return found ^ (found >> np.uint32(15))
