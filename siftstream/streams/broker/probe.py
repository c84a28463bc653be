"""Is the broker ready: one record, acknowledged, in a topic that is gone afterwards."""

import contextlib
import importlib
import logging
import socket
import time
from collections.abc import Callable

from siftstream.schemas.errors import BrokerError

PROBE_TOPIC = "__siftstream_probe"
LOOK_EVERY_S = 0.02


def wait_ready(port: int, gone: Callable[[float], bool], deadline: float) -> bool:
    """Wait until a produce is acknowledged; False when the broker is gone or at the deadline.

    `deadline` is in monotonic seconds. `gone(seconds)` waits that long for the broker's end and
    says whether it came.
    """
    with contextlib.suppress(ImportError):
        importlib.import_module("kafka")  # while the JVM starts
    while not accepts(port):
        if gone(LOOK_EVERY_S) or time.monotonic() > deadline:
            return False
    while not produce_once(port, max(1.0, deadline - time.monotonic())):
        if gone(LOOK_EVERY_S) or time.monotonic() > deadline:
            return False
    return True


def accepts(port: int) -> bool:
    """Whether something listens on the port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def produce_once(port: int, timeout_s: float) -> bool:
    """Create the probe topic, have one record acknowledged, delete the topic; False where that fails."""
    try:
        from kafka import KafkaAdminClient, KafkaProducer
        from kafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError
    except ImportError as error:
        raise BrokerError("The local broker needs kafka-python: `pip install kafka-python`.") from error
    topic = {PROBE_TOPIC: {"num_partitions": 1, "replication_factor": 1}}
    bootstrap = f"127.0.0.1:{port}"
    timeout_ms = int(timeout_s * 1000)
    quiet = logging.getLogger("kafka")
    level = quiet.level
    quiet.setLevel(logging.CRITICAL)
    try:
        with contextlib.closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
            with contextlib.suppress(TopicAlreadyExistsError):
                admin.create_topics(topic)  # pyright: ignore[reportArgumentType]  # it takes a dict, too
            producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", max_block_ms=timeout_ms)
            try:
                producer.send(PROBE_TOPIC, b"ready?").get(timeout=timeout_s)
            finally:
                producer.close(timeout=1)
            with contextlib.suppress(UnknownTopicOrPartitionError):
                admin.delete_topics([PROBE_TOPIC])
    except KafkaError:
        return False
    finally:
        quiet.setLevel(level)
    return True
