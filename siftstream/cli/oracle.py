"""`siftstream oracle`: the simulated annotator as a process of its own."""

import signal
import threading
from types import FrameType

from kafka.errors import KafkaError

from siftstream.cli.cluster import settings_with_cluster
from siftstream.cli.logs import set_up_logging
from siftstream.cli.options import Config, WithParent
from siftstream.connectors.oracle import Oracle
from siftstream.schemas.errors import UnavailableError
from siftstream.streams.lifeline import end_with_parent
from siftstream.streams.topics import ensure_topics


def oracle(config: Config = None, with_parent: WithParent = False) -> None:
    """Run the simulated annotator, which knows the truth and takes its time."""
    told_to_stop = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        told_to_stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if with_parent:
        end_with_parent()
    set_up_logging("oracle")
    settings = settings_with_cluster(config, patient=True)
    annotator = Oracle(settings.oracle, settings.classes)
    try:
        ensure_topics(settings.kafka, settings.pipeline)
        annotator.run(settings.kafka, settings.pipeline, lambda: not told_to_stop.is_set())
    except KafkaError as error:
        raise UnavailableError(
            f"the oracle lost Kafka at {settings.kafka.bootstrap_servers}: {error}"
        ) from error
