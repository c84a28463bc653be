"""What is in a topic, for tests of what was pushed."""

from __future__ import annotations

from typing import Any

from kafka import KafkaConsumer, TopicPartition

from siftstream.schemas import DataUri
from siftstream.schemas.bulk import Unreadable, decode_many


def count_in(broker: str, topic: str) -> int:
    """Return how many events the topic has; none where it is not there yet."""
    return len(events_in(broker, topic))


def events_in(broker: str, topic: str) -> list[DataUri]:
    """Return every event of the topic, as it is now."""
    return [event for _, events in _records(broker, topic) for event in events]


def records_in(broker: str, topic: str) -> list[tuple[int, list[str]]]:
    """Return each record's partition and sample ids, in the order in which they were written."""
    return [
        (partition, [event.sample_id for event in events]) for partition, events in _records(broker, topic)
    ]


def _records(broker: str, topic: str) -> list[tuple[int, list[DataUri]]]:
    consumer: Any = KafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False)
    try:
        places = _places(consumer, topic)
        if not places:
            return []
        ends = consumer.end_offsets(places)
        consumer.assign(places)
        consumer.seek_to_beginning()
        found: list[Any] = []
        while any(consumer.position(place) < ends[place] for place in places):
            for records in consumer.poll(timeout_ms=200).values():
                found += records
        found.sort(key=lambda record: record.timestamp)
        return [(record.partition, [good(one) for one in decode_many(record.value)]) for record in found]
    finally:
        consumer.close()


def good(found: DataUri | Unreadable) -> DataUri:
    assert isinstance(found, DataUri), found
    return found


def names_in(broker: str, topic: str) -> list[str]:
    """Return the last part of each URI, sorted."""
    return sorted(event.uri.rpartition("/")[2] for event in events_in(broker, topic))


def _places(consumer: Any, topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, partition) for partition in consumer.partitions_for_topic(topic) or ()]
