"""A person pauses asking while select runs, a query is answered all the same, and resuming asks at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from siftstream import Client
from siftstream.schemas import (
    Action,
    Command,
    Event,
    ModelVersion,
    Reason,
    Selected,
    TrainingLabel,
    VersionStatus,
)
from siftstream.settings import load_settings
from siftstream.streams.topics import ensure_topics
from tests.agents.select.stream import CLASSES, batch_of
from tests.line.workers import Line, closing, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

MakeLine = Callable[..., Line]


@pytest.fixture
def make_line(broker: str, topic_prefix: str, tmp_path: Path) -> Iterator[MakeLine]:
    lines: list[Line] = []

    def make(**config: Any) -> Line:
        select = {"strategy": {"name": "margin", "cold_start": "random"}, "audit": {"fraction": 0.0}}
        said: dict[str, Any] = {
            "pipeline": {"name": topic_prefix, "partitions": 1},
            "kafka": {"bootstrap_servers": broker},
            "classes": list(CLASSES),
            "model": {"artifacts": str(tmp_path / "artifacts")},
            "state": str(tmp_path / "state"),
        }
        select |= {"trigger": {"every": None}, "outstanding": {"low": 1, "high": 3}}
        lines.append(Line(tmp_path, said | config | {"select": select | config.get("select", {})}))
        settings = load_settings(lines[-1].config)
        ensure_topics(settings.kafka, settings.pipeline)
        return lines[-1]

    try:
        yield make
    finally:
        for line in lines:
            for _ in closing(line):
                pass


@pytest.fixture
def send(broker: str) -> Iterator[Callable[[Line, Event], None]]:
    producer = KafkaProducer(bootstrap_servers=broker, acks="all")

    def to(line: Line, event: Event) -> None:
        producer.send(line.topic(event.topic), event.encode(), key=event.key, partition=0).get(30)

    yield to
    producer.close()


def scores(line: Line, first: int, count: int) -> None:
    producer = KafkaProducer(bootstrap_servers=line.bootstrap, acks="all")
    batch = batch_of([f"s{number}" for number in range(first, first + count)])
    producer.send(line.topic("scores"), batch.encode(), partition=0).get(30)
    producer.close()


def chosen(line: Line) -> list[Selected]:
    return [Selected.decode(record.value) for record in line.records("selected") if record.value is not None]


def labelled(one: Selected) -> TrainingLabel:
    return TrainingLabel(sample_id=one.sample_id, uri=one.uri, label="a")


def test_a_pause_holds_over_a_kill_and_a_query_is_answered_in_it(
    make_line: MakeLine, send: Callable[[Line, Event], None]
) -> None:
    line = make_line()
    send(line, Command(line="main", action=Action.PAUSE, why="lunch"))
    scores(line, 0, 20)
    line.start("select-0")
    line.wait_through("select", 60)
    with Client(line.bootstrap, pipeline=line.prefix) as client:
        assert len(client.query(budget=2)) == 2
    line.kill("select-0", signal.SIGKILL)
    line.start("select-0")
    scores(line, 20, 20)
    line.wait_through("select", 60)
    assert {one.reason for one in chosen(line)} == {Reason.QUERY}
    for one in chosen(line):
        send(line, labelled(one))
    send(line, Command(line="main", action=Action.RESUME))
    wait_for(lambda: len(chosen(line)) == 2 + 3, 20, "a full queue")
    assert "asking is paused, says person: lunch" in line.log("select-0") or "goes on" in line.log("select-0")


def test_in_synchronous_mode_a_round_waits_for_the_run_that_it_asked_for(
    make_line: MakeLine, send: Callable[[Line, Event], None]
) -> None:
    line = make_line(mode="synchronous", retrain={"min_labels": 2})
    scores(line, 0, 20)
    line.start("select-0")
    wait_for(lambda: len(chosen(line)) == 3, 60, "the first round")
    for one in chosen(line):
        send(line, labelled(one))

    def asked() -> list[Command]:
        return [Command.decode(record.value) for record in line.records("commands", partitions=1)]

    wait_for(asked, 20, "training to be asked for")
    assert [(one.action, one.by, one.needs) for one in asked()] == [(Action.TRAIN, "select", {0: 3})]
    assert len(chosen(line)) == 3

    def failed(upto: int) -> ModelVersion:
        return ModelVersion(
            line="main", version=f"v{upto}", classes=CLASSES, status=VersionStatus.FAILED, upto=(upto,)
        )

    send(line, failed(2))  # knew one answer too few
    wait_for(lambda: len(asked()) == 2, 20, "training to be asked for again")
    assert len(chosen(line)) == 3
    send(line, failed(3))
    wait_for(lambda: len(chosen(line)) == 6, 20, "the next round")
