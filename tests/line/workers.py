"""Stage processes that a test starts, kills and starts again, as `siftstream worker` runs them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from kafka import KafkaConsumer, TopicPartition

from siftstream.settings import load_settings
from siftstream.streams.status import StatusReader

STAGES = ("fetch", "infer", "select", "consensus", "retrain")


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Return what `condition` gives as soon as it is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)  # a poll between two looks, not a wait for luck
    raise AssertionError(f"{what}: not within {seconds:g} s")


class Line:
    """One pipeline's configuration and its worker processes."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.folder = folder
        self.bootstrap: str = config["kafka"]["bootstrap_servers"]
        self.prefix: str = config["pipeline"]["name"]
        self.partitions: int = config["pipeline"]["partitions"]
        self.config = folder / "siftstream.yaml"
        self.config.write_text(yaml.safe_dump(config))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start the worker `stage-number` (or the oracle)."""
        stage = name.split("-")[0]
        command = [sys.executable, "-m", "siftstream"]
        command += ["oracle"] if stage == "oracle" else ["worker", stage, "--instance", name]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*command, "--with-parent", "-c", str(self.config)],
                stdin=subprocess.PIPE, stdout=log, stderr=log, env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )  # fmt: skip

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal and wait for the end."""
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait(30)
        assert process.stdin is not None
        process.stdin.close()

    def stop(self) -> None:
        """Stop all workers in order."""
        for process in self.processes.values():
            process.terminate()
        for name in list(self.processes):
            self.kill(name, signal.SIGTERM)

    def log(self, name: str) -> str:
        """What a worker wrote."""
        return (self.folder / f"{name}.log").read_text()

    def wait_through(self, stage: str, seconds: float) -> None:
        """Wait until a stage's group has worked on all that there is."""
        settings = load_settings(self.config)
        with StatusReader(settings.kafka, settings.pipeline) as reader:

            def is_through() -> bool:
                group = reader.read().group(stage)
                return group is not None and group.done > 0 and group.lag == 0

            wait_for(is_through, seconds, f"{stage} at the end of its topic")

    def topic(self, name: str) -> str:
        """The topic's name on the cluster."""
        return f"{self.prefix}.{name}"

    def records(self, topic: str, partitions: int | None = None) -> list[Any]:
        """All records of a topic as it stands now, by plain kafka-python."""
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False)
        try:
            places = [TopicPartition(self.topic(topic), p) for p in range(partitions or self.partitions)]
            consumer.assign(places)
            consumer.seek_to_beginning(*places)
            ends = consumer.end_offsets(places)
            found: list[Any] = []
            while any(consumer.position(place) < ends[place] for place in places):
                for batch in consumer.poll(timeout_ms=100, max_records=5000).values():
                    found += batch
            return found
        finally:
            consumer.close()


def closing(line: Line) -> Iterator[Line]:
    """Give the line to a test and stop its workers afterwards."""
    try:
        yield line
    finally:
        line.stop()
