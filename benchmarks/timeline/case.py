"""One case: so many trainers, asynchronous or synchronous, and what it comes to."""

import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from kafka import KafkaProducer

from benchmarks.timeline.annotators import Annotators, Story
from benchmarks.timeline.stream import CLASSES, records
from siftstream.bench.failed import BenchFailed
from siftstream.bench.running import Running, spawn
from siftstream.schemas import Scores

READY_WITHIN_S: Final = 60.0
SAMPLES: Final = 2_000


@dataclass(frozen=True)
class Plan:
    """Times in seconds, and how much is asked."""

    label: float
    train: float
    queries: int
    annotators: int


@dataclass(frozen=True)
class Outcome:
    """One case's figures; waits in seconds, of tasks that were handed out after the first version."""

    trainers: int
    mode: str
    queries: int
    versions: int
    waits: list[float]
    timeline: str

    @property
    def per_query(self) -> float:
        """Versions for each answered query."""
        return self.versions / max(1, self.queries)

    def wait(self, percent: float) -> float:
        """Return a percentile of the waits."""
        return float(np.percentile(self.waits, percent)) if self.waits else float("nan")

    @property
    def as_json(self) -> dict[str, Any]:
        """The figures by name."""
        said = {f"wait_p{p}": self.wait(p) for p in (50, 99, 100)}
        return said | {
            "trainers": self.trainers, "mode": self.mode, "queries": self.queries, "versions": self.versions,
            "per_query": self.per_query, "timeline": self.timeline,
        }  # fmt: skip


def run(folder: Path, bootstrap: str, trainers: int, mode: str, plan: Plan) -> Outcome:
    """Let annotators and trainers work side by side; return what it came to."""
    name = f"{mode}-{trainers}"
    config: dict[str, Any] = {
        "pipeline": {"name": f"timeline-{name}", "partitions": 1},
        "kafka": {"bootstrap_servers": bootstrap},
        "mode": mode,
        "classes": list(CLASSES),
        "model": {"artifacts": str(folder / name / "artifacts")},
        "state": str(folder / name / "state"),
        "select": {
            "trigger": {"every": None},
            "outstanding": {"low": 3 * plan.annotators, "high": 6 * plan.annotators},
            "budget": {"per_round": plan.annotators},
            "strategy": {"name": "margin", "cold_start": "random"},
            "audit": {"fraction": 0.0},
        },
        "consensus": {"holdout": 0.0},
        "retrain": {"min_labels": 2, "min_new_labels": plan.annotators},
    }
    with ExitStack() as stack:
        running = stack.enter_context(Running(config, folder=folder / name, stages=("consensus", "select")))
        stack.enter_context(_trainers(folder / name, trainers, plan.train))
        annotators = Annotators(running.settings, plan.annotators, plan.label)
        stack.callback(annotators.close)
        _write(bootstrap, running.settings.pipeline.topic(Scores.topic))
        slowest = plan.queries * (plan.label + 3 * plan.train) + READY_WITHIN_S
        return _outcome(annotators.answer(plan.queries, slowest), trainers, mode)


def _write(bootstrap: str, topic: str) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    try:
        for value in records(SAMPLES):
            producer.send(topic, value, partition=0)
        producer.flush(30)
    finally:
        producer.close()


@contextmanager
def _trainers(folder: Path, count: int, seconds: float) -> Generator[None]:
    """Run trainers as processes for as long as the block lasts."""
    children: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(count):
            name = f"retrain-{number}"
            command = [sys.executable, "-m", "benchmarks.timeline.padded"]
            command += [str(folder / "siftstream.yaml"), name, str(seconds)]
            with (folder / f"{name}.log").open("wb") as log:
                children.append(spawn(command, log, {}))
        until = time.monotonic() + READY_WITHIN_S
        logs = [folder / f"retrain-{number}.log" for number in range(count)]
        while not all(b" runs on " in log.read_bytes() for log in logs):
            if time.monotonic() > until or any(child.poll() is not None for child in children):
                raise BenchFailed(f"a trainer did not start: {logs[0].read_text()[-500:]}")
            time.sleep(0.05)
        yield
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait(20)
            if child.stdin:
                child.stdin.close()


def _outcome(story: Story, trainers: int, mode: str) -> Outcome:
    """Count from the first version on: before it trainers wait for their first labels."""
    first = min(story.versions, default=float("inf"))
    answers = [at for at in story.answers if at > first]
    last = max(answers, default=first)
    versions = [at for at in story.versions if first < at <= last]
    waits = [wait for wait, at in zip(story.waits, story.handed, strict=True) if at > first]
    events = sorted([(at, ".") for at in answers] + [(at, "V") for at in versions])
    return Outcome(trainers, mode, len(answers), len(versions), waits, "".join(mark for _, mark in events))
