"""Where a sample lives: Kafka's own murmur2 placement, the same in every stage."""

from aiokafka.partitioner import murmur2


def partition_of(sample_id: str, partitions: int) -> int:
    """Return the partition of a sample, as Kafka's Java client places the same key.

    >>> partition_of("sample-1", 4)
    3
    """
    return partition_of_key(sample_id.encode(), partitions)


def partition_of_key(key: bytes, partitions: int) -> int:
    """Return the partition of a record key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
