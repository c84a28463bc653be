"""What is in a topic, record by record."""

from __future__ import annotations

from typing import Any

from kafka import KafkaConsumer, TopicPartition

from siftstream.streams.record import Record


def records_of(broker: str, topic: str) -> list[Record]:
    """Return every record of the topic, as it is now."""
    consumer: Any = KafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False)
    try:
        places = [TopicPartition(topic, partition) for partition in consumer.partitions_for_topic(topic)]
        ends = consumer.end_offsets(places)
        consumer.assign(places)
        consumer.seek_to_beginning()
        found: list[Record] = []
        while any(consumer.position(place) < ends[place] for place in places):
            for records in consumer.poll(timeout_ms=200).values():
                found += [Record.of_consumer(record) for record in records]
        return found
    finally:
        consumer.close()
