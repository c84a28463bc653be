"""A stranger to siftstream: plain kafka-python and JSON, as any language could do it."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
from kafka import KafkaConsumer, KafkaProducer
from PIL import Image


def picture(number: int) -> bytes:
    """Return a small PNG that no other number has."""
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    return png.getvalue()


def data_uri(png: bytes) -> str:
    """Return a URI that carries its bytes."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def produce(bootstrap: str, topic: str, events: Iterable[dict[str, Any]]) -> None:
    """Send JSON events and wait for the broker's word; the key is the sample id, or none."""
    with closing(KafkaProducer(bootstrap_servers=bootstrap, acks="all")) as producer:
        for event in events:
            key = event["sample_id"].encode() if "sample_id" in event else None
            producer.send(topic, key=key, value=json.dumps(event).encode())
        producer.flush(timeout=30)


@contextmanager
def consumer(bootstrap: str, topic: str) -> Iterator[KafkaConsumer]:
    """Return a consumer of a topic from its beginning, without a group."""
    reading = KafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None)
    try:
        yield reading
    finally:
        reading.close()


def read_until(
    bootstrap: str, topic: str, enough: Callable[[list[dict[str, Any]]], bool], within_s: float = 90.0
) -> list[dict[str, Any]]:
    """Read JSON events from the topic's beginning until there are enough.

    Raises:
        AssertionError: there were not enough in time; the message says what came.
    """
    events: list[dict[str, Any]] = []
    end = time.monotonic() + within_s
    with consumer(bootstrap, topic) as reading:
        while time.monotonic() < end:
            for records in reading.poll(timeout_ms=500).values():
                events += [json.loads(record.value) for record in records]
            if enough(events):
                return events
    raise AssertionError(f"{topic}: {len(events)} events within {within_s} s, the last: {events[-1:]}")
