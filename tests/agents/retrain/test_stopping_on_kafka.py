"""A trainer that publishes asks its stopping rules; a person outweighs them, drift resumes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaProducer

from siftstream.schemas import Action, Command, Drift, Event, TrainingLabel
from siftstream.settings import load_settings
from siftstream.streams.topics import ensure_topics
from tests.line.workers import Line, closing, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

Send = Callable[[Event], None]


@pytest.fixture
def line(broker: str, topic_prefix: str, tmp_path: Path) -> Iterator[Line]:
    config = {
        "pipeline": {"name": topic_prefix, "partitions": 1},
        "kafka": {"bootstrap_servers": broker},
        "classes": ["a", "b", "c", "d"],
        "model": {"artifacts": str(tmp_path / "artifacts")},
        "state": str(tmp_path / "state"),
        "retrain": {
            "min_labels": 2, "min_new_labels": 2, "stop": {"rules": [{"name": "label_limit", "labels": 4}]},
        },
    }  # fmt: skip
    yield from closing(Line(tmp_path, config))


@pytest.fixture
def trainer(line: Line) -> Iterator[None]:
    """A real trainer whose training is a short pause."""
    settings = load_settings(line.config)
    ensure_topics(settings.kafka, settings.pipeline)
    command = [sys.executable, "-m", "benchmarks.timeline.padded", str(line.config), "retrain-0", "0.1"]
    with (line.folder / "retrain-0.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def send(line: Line) -> Iterator[Send]:
    producer = KafkaProducer(bootstrap_servers=line.bootstrap, acks="all")

    def to_its_topic(event: Event) -> None:
        producer.send(line.topic(event.topic), event.encode(), key=event.key, partition=0).get(30)

    yield to_its_topic
    producer.close()


def said(line: Line) -> list[tuple[Action, str]]:
    found = [Command.decode(record.value) for record in line.records("commands", partitions=1)]
    return [(one.action, one.by) for one in found]


@pytest.mark.usefixtures("trainer")
def test_a_rule_pauses_a_person_outweighs_it_until_there_is_new_evidence_and_drift_resumes(
    line: Line, send: Send
) -> None:
    labels = 0

    def label(count: int) -> None:
        """Write labels, and wait for the version that knows them."""
        nonlocal labels
        versions = len(line.records("models", partitions=1))
        for number in range(labels, labels + count):
            send(TrainingLabel(sample_id=f"s{number}", uri="file:///x", label="a"))
        labels += count
        wait_for(lambda: len(line.records("models", partitions=1)) > versions, 60, "a version")

    by_rule, by_person = (Action.PAUSE, "label_limit"), (Action.RESUME, "person")
    label(2)
    label(2)
    wait_for(lambda: said(line) == [by_rule], 20, "the rule's pause")
    send(Command(line="main", action=Action.RESUME))
    label(2)  # two since then: the limit is four
    label(2)
    wait_for(lambda: said(line) == [by_rule, by_person, by_rule], 20, "the rule's next pause")
    drift = Drift(
        partition=0, seen=50, position=9, statistic="embedding", detector="adwin", model_version="v1",
        before=1.0, after=9.0,
    )  # fmt: skip
    send(drift)
    wait_for(lambda: said(line)[3:] == [(Action.RESUME, "drift")], 20, "the drift's resume")
    send(Command(line="main", action=Action.PAUSE))
    send(drift.model_copy(update={"seen": 100, "detected_at": drift.detected_at + 3600.0}))
    label(2)
    assert said(line)[4:] == [(Action.PAUSE, "person")]
