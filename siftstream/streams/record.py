"""One Kafka record in, one Kafka record out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Record:
    """What was read, with where it stood."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: float = 0.0  # seconds since the epoch

    @classmethod
    def of_message(cls, message: Any) -> Self:
        """Take a Faust message apart."""
        headers = message.headers or ()
        pairs = headers.items() if isinstance(headers, dict) else headers
        return cls(
            message.topic, message.partition, message.offset, message.key, message.value,
            tuple((str(name), bytes(value or b"")) for name, value in pairs), message.timestamp or 0.0,
        )  # fmt: skip

    @classmethod
    def of_consumer(cls, record: Any) -> Self:
        """Take a record of an aiokafka or kafka-python consumer."""
        return cls(
            record.topic, record.partition, record.offset, record.key, record.value,
            tuple((str(name), bytes(value or b"")) for name, value in record.headers or ()),
            (record.timestamp or 0) / 1000,
        )  # fmt: skip

    def header(self, name: str) -> str | None:
        """Return the last header of this name as text."""
        found = [value for key, value in self.headers if key == name]
        return found[-1].decode(errors="replace") if found else None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is to be written; without a partition the key places it by murmur2."""

    topic: str  # the design's name, without the pipeline's prefix
    value: bytes | None
    key: bytes | None = None
    partition: int | None = None
    headers: Headers = ()
    timestamp: float = field(default_factory=time.time)  # seconds since the epoch
