"""Where a sample lives: Kafka's own murmur2 placement, the same in every stage."""

from aiokafka.partitioner import murmur2


def partition_of(sample_id: str, partitions: int) -> int:
    """Return the partition of a sample, as Kafka's Java client places the same key.

    >>> partition_of("sample-1", 4)
    3
    """
    return (murmur2(sample_id.encode()) & 0x7FFFFFFF) % partitions
