"""Placement equals that of Kafka's own clients."""

from __future__ import annotations

from unittest.mock import MagicMock

from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.partitioner import DefaultPartitioner
from kafka.partitioner.default import murmur2

from siftstream.streams.partition import partition_of, partition_of_key


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(), st.integers(1, 512))
def test_samples_lie_where_kafka_python_puts_their_key(sample_id: str, partitions: int) -> None:
    cluster = MagicMock()
    cluster.topics.return_value = {"t"}
    cluster.partitions_for_topic.return_value = set(range(partitions))
    theirs = DefaultPartitioner().partition("t", sample_id, sample_id.encode(), None, None, cluster)
    assert partition_of(sample_id, partitions) == theirs


@settings(deadline=None)  # a busy machine is no failure
@given(st.binary(), st.integers(1, 512))
def test_keys_that_are_no_text_lie_there_too(key: bytes, partitions: int) -> None:
    assert partition_of_key(key, partitions) == (murmur2(key) & 0x7FFFFFFF) % partitions


def test_ten_thousand_names_spread_evenly_over_four_partitions() -> None:
    counts = [0] * 4
    for number in range(10_000):
        counts[partition_of(f"sample-ä-{number}", 4)] += 1
    assert all(2_300 < count < 2_700 for count in counts)


def test_known_places() -> None:
    """Of Kafka's own UtilsTest: murmur2("21") = -973932308 and murmur2("foobar") = -790332482."""
    assert partition_of("21", 1 << 20) == (-973932308 & 0x7FFFFFFF) % (1 << 20)
    assert partition_of("foobar", 7) == (-790332482 & 0x7FFFFFFF) % 7
