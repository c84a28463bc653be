"""What is in a topic, for tests of what was pushed."""

from __future__ import annotations

from typing import Any

from kafka import KafkaConsumer, TopicPartition

from siftstream.schemas import DataUri


def count_in(broker: str, topic: str) -> int:
    """Return how many records the topic has; none where it is not there yet."""
    consumer: Any = KafkaConsumer(bootstrap_servers=broker)
    try:
        return sum(consumer.end_offsets(_places(consumer, topic)).values())
    finally:
        consumer.close()


def events_in(broker: str, topic: str) -> list[DataUri]:
    """Return every event of the topic, as it is now."""
    consumer: Any = KafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False)
    try:
        places = _places(consumer, topic)
        ends = consumer.end_offsets(places)
        consumer.assign(places)
        consumer.seek_to_beginning()
        events: list[DataUri] = []
        while any(consumer.position(place) < ends[place] for place in places):
            for records in consumer.poll(timeout_ms=200).values():
                events += [DataUri.decode(record.value) for record in records]
        return events
    finally:
        consumer.close()


def names_in(broker: str, topic: str) -> list[str]:
    """Return the last part of each URI, sorted."""
    return sorted(event.uri.rpartition("/")[2] for event in events_in(broker, topic))


def _places(consumer: Any, topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, partition) for partition in consumer.partitions_for_topic(topic) or ()]
