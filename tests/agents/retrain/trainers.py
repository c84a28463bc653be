"""Trainers as processes, and what a test says to them through the log alone."""

import itertools
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition
from PIL import Image

from siftstream.agents.retrain.runs import Runs
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.lineage import Lineage
from siftstream.schemas import Event, ModelVersion, RunState, Slice, TrainingLabel, TrainingRun
from siftstream.settings import load_settings
from siftstream.streams.partition import partition_of
from siftstream.streams.record import Record
from siftstream.streams.topics import ensure_topics
from tests.line.workers import Line, wait_for

CLASSES = ["dark", "light"]
HEAD = {"mode": "head", "head": {"l2": 1.0}}


class Trainers(Line):
    """A pipeline with trainers only; labels are written where consensus would write them."""

    def __init__(self, folder: Path, broker: str, prefix: str, **retrain: Any) -> None:
        config = {
            "pipeline": {"name": prefix, "partitions": 2},
            "kafka": {"bootstrap_servers": broker},
            "classes": CLASSES,
            "transform": {"height": 8, "width": 8, "channels": 1},
            "model": {"artifacts": str(folder / "artifacts")},
            "retrain": {"min_labels": 8, "min_new_labels": 8, "train": HEAD} | retrain,
            "state": str(folder / "state"),
        }
        super().__init__(folder, config)
        self.settings = load_settings(self.config)
        ensure_topics(self.settings.kafka, self.settings.pipeline)
        self._producer = KafkaProducer(bootstrap_servers=broker, acks="all")
        self._consumer = KafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False)
        self._numbers = itertools.count()
        self._rng = np.random.default_rng(0)

    def stop(self) -> None:
        """Let go of everything."""
        self._producer.close()
        self._consumer.close()
        for name in self.processes:
            for child in self.children(name):
                child.resume()
        super().stop()

    def write(self, event: Event, partition: int = 0) -> None:
        """Put an event on its topic."""
        sent = self._producer.send(
            self.topic(event.topic), event.encode(), key=event.key, partition=partition
        )
        sent.get(30)

    def label(self, name: str, label: str | None, where: Slice = Slice.TRAIN) -> None:
        """Write a resolution of a sample."""
        told = TrainingLabel(sample_id=name, uri=self.picture(name), label=label, slice=where)
        self.write(told, partition_of(name, self.partitions))

    def labels(self, count: int, where: Slice = Slice.TRAIN) -> list[str]:
        """Write labels of new samples, both classes in turn; return their ids."""
        names = [f"s{next(self._numbers):04d}" for _ in range(count)]
        for name in names:
            self.label(name, CLASSES[int(name[1:]) % 2], where)
        return names

    def picture(self, name: str) -> str:
        """Return the URI of a sample's picture, dark or light by its number."""
        path = self.folder / f"{name}.png"
        if not path.exists():
            low = 0 if int(name[1:]) % 2 == 0 else 128
            Image.fromarray(self._rng.integers(low, low + 100, (8, 8), dtype=np.uint8)).save(path)
        return path.as_uri()

    def read(self, topic: str) -> list[Record]:
        """All records of a topic of one partition."""
        place = TopicPartition(self.topic(topic), 0)
        self._consumer.assign([place])
        self._consumer.seek_to_beginning(place)
        end, found = self._consumer.end_offsets([place])[place], list[Record]()
        while (self._consumer.position(place) or 0) < end:
            for batch in self._consumer.poll(timeout_ms=100).values():
                found += map(Record.of_consumer, batch)
        return found

    def chain(self) -> list[TrainingRun]:
        """The granted runs as they stand, first one first."""
        runs = Runs("main")
        for record in self.read("training"):
            runs.fold(record)
        return list(runs.back_from(runs.last.version if runs.last else None))[::-1]

    def versions(self) -> dict[str, ModelVersion]:
        """The versions by name."""
        found = (ModelVersion.decode(record.value) for record in self.read("models"))
        return {version.version: version for version in found}

    def has_run(self, state: RunState, count: int = 1) -> list[TrainingRun] | None:
        """The granted runs, if that many of them are in this state."""
        runs = self.chain()
        return runs if sum(run.state is state for run in runs) >= count else None

    def lineage(self, version: ModelVersion) -> Lineage:
        """What a version was made of."""
        assert version.lineage is not None
        return Lineage.from_bytes(ArtifactStore.open(self.settings.model.artifacts).get(version.lineage))

    def learned(self, version: ModelVersion) -> Mapping[str, str]:
        """The labels that a version was trained on, by sample."""
        made_of = self.lineage(version)
        rows = zip(made_of.ids, made_of.targets, made_of.slices, strict=True)
        return {name: made_of.classes[target] for name, target, where in rows if where == 0}

    def children(self, name: str) -> list[psutil.Process]:
        """The child processes of a trainer in which something is learned."""
        processes = psutil.Process(self.processes[name].pid).children(recursive=True)
        return [one for one in processes if "siftstream.models.training.child" in " ".join(one.cmdline())]

    def is_at_work(self, name: str) -> TrainingRun | None:
        """A trainer's run whose job its child has in hand, as its words after the job was written show."""
        job = next((self.folder / "state" / "jobs" / name).glob("*/job.json"), None)
        runs = [run for run in self.chain() if run.trainer == name and run.state is RunState.RUNNING]
        written = job is not None and runs and runs[-1].told_at > job.stat().st_mtime + 0.5
        return runs[-1] if written else None

    def spare(self, name: str) -> list[psutil.Process]:
        """Wait until a trainer has the child that its next run takes."""
        return wait_for(lambda: self.children(name), 40, f"a child of {name}")

    def kill_with_child(self, name: str) -> None:
        """SIGKILL a trainer in mid-run; its frozen child could not see that it is alone."""
        children = self.children(name)
        self.kill(name)
        for child in children:
            child.kill()
            child.wait(10)

    def say(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a person would."""
        command = [sys.executable, "-m", "siftstream", *words, "-c", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)


def freeze(processes: list[psutil.Process]) -> None:
    """Let a run stand still for as long as a test wants it to be under way."""
    for process in processes:
        process.send_signal(signal.SIGSTOP)
