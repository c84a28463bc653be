"""The latest event of each key of a one-partition topic, read as the topic grows."""

import time
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from kafka.structs import TopicPartition

from siftstream.schemas.errors import SchemaError
from siftstream.schemas.events import Event

E = TypeVar("E", bound=Event)
WITHIN_S = 10.0


class Latest(Generic[E]):
    """Holds the events in the order of their last records; what cannot be read is passed over."""

    def __init__(self, kind: type[E], topic: str) -> None:
        """Args: what the topic holds; its name on the cluster."""
        self._kind = kind
        self._place = TopicPartition(topic, 0)
        self._events: dict[bytes | None, E] = {}
        self._read_to = 0

    def read(self, consumer: Any, ends: Mapping[TopicPartition, int]) -> tuple[E, ...]:
        """Return the events up to the topic's end, as far as they come within ten seconds.

        Args:
            consumer: kafka-python's, without a group; it is sought here.
            ends: Next offsets of the topics that there are.
        """
        end = ends.get(self._place, 0)
        if end < self._read_to:  # the topic was made anew
            self._read_to = 0
            self._events.clear()
        if self._read_to < end:
            consumer.assign([self._place])
            consumer.seek(self._place, self._read_to)
            consumer.resume(self._place)
            deadline = time.monotonic() + WITHIN_S
            while (at := consumer.position(self._place)) < end and time.monotonic() < deadline:
                for records in consumer.poll(timeout_ms=200).values():
                    for record in records:
                        self._fold(record.key, record.value)
            self._read_to = at
        return tuple(self._events.values())

    def _fold(self, key: bytes | None, value: bytes | None) -> None:
        try:
            event = self._kind.decode(value) if value is not None else None
        except SchemaError:
            return
        self._events.pop(key, None)
        if event is not None:
            self._events[key] = event
