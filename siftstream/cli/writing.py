"""One event on a topic of one partition, from the command line."""

from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import KafkaError

from siftstream.schemas import Event
from siftstream.schemas.errors import UnavailableError
from siftstream.settings import Settings
from siftstream.streams.topics import ensure_topics

ACKNOWLEDGED_WITHIN_S: Final = 30.0


def write_event(settings: Settings, event: Event, what: str) -> None:
    """Put an event on its topic and wait until the broker has it.

    Args:
        settings: Cluster and names.
        event: What is written.
        what: Its name in a sentence.

    Raises:
        UnavailableError: the cluster does not take it.
    """
    ensure_topics(settings.kafka, settings.pipeline)
    try:
        producer: Any = KafkaProducer(acks="all", **settings.kafka.client_options())
        try:
            topic = settings.pipeline.topic(event.topic)
            sent = producer.send(topic, event.encode(), key=event.key, partition=0)
            sent.get(timeout=ACKNOWLEDGED_WITHIN_S)
        finally:
            producer.close(timeout=ACKNOWLEDGED_WITHIN_S)
    except KafkaError as error:
        raise UnavailableError(
            f"Kafka at {settings.kafka.bootstrap_servers} did not take the {what}: {error}; try again"
        ) from error
