"""`siftstream status` and `tail` say what trainers do, as the log tells it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from kafka import KafkaProducer
from typer.testing import CliRunner

from siftstream.cli import app
from siftstream.schemas import Action, Command, Event, ModelVersion, Progress, RunState, TrainingRun
from siftstream.settings import load_settings
from siftstream.streams.status import StatusReader

pytestmark = pytest.mark.kafka

CLAIMED = TrainingRun(line="main", version="r-0-0001", trainer="r-0", labels=20, claimed_at=100.0)
LATER = CLAIMED.model_copy(
    update={"version": "r-0-0002", "after": "r-0-0001", "labels": 40, "claimed_at": 200.0}
)
OTHER = CLAIMED.model_copy(
    update={"version": "r-1-0001", "trainer": "r-1", "after": "r-0-0001", "labels": 30}
)


@pytest.fixture
def pipeline(broker: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A pipeline of its own on the shared broker, with its topics; its name."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker)
    monkeypatch.setenv("SIFTSTREAM_PIPELINE__NAME", topic_prefix)
    monkeypatch.delenv("SIFTSTREAM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    run("topics", "create")
    return topic_prefix


def run(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.stdout


def tell(*events: TrainingRun | Command | ModelVersion) -> None:
    settings = load_settings()
    producer = KafkaProducer(**settings.kafka.client_options())
    for event in events:
        producer.send(settings.pipeline.topic(event.topic), event.encode(), event.key)
    producer.close()


def state(run: TrainingRun, state: RunState, **more: object) -> TrainingRun:
    return run.model_copy(update={"state": state, "told_at": time.time(), **more})


def test_status_has_a_line_a_trainer_and_says_who_paused(pipeline: str) -> None:
    failed = ModelVersion(
        line="main", version="r-1-0001", classes=("a",), status="failed", reason="no memory"  # pyright: ignore
    )  # fmt: skip
    fitting = Progress(phase="fit", epoch=2, epochs=4, step=50, steps=100, loss=0.25, remaining=61.0)
    tell(
        CLAIMED, state(CLAIMED, RunState.DONE), OTHER, state(OTHER, RunState.FAILED), failed,
        LATER, state(LATER, RunState.RUNNING, progress=fitting),
        Command(line="main", action=Action.PAUSE, by="label_limit", why="500 of 500 labels"),
        Command(line="main", action=Action.TRAIN),
    )  # fmt: skip
    lines = [line.strip() for line in run("status").splitlines()]
    assert "r-0 trains r-0-0002 on 40 labels: fit 50%, epoch 2 of 4, loss 0.25, 1 min 1 s left" in lines
    assert any(line.startswith("r-1: r-1-0001 (30 labels) failed") and "no memory" in line for line in lines)
    assert "asking is paused by label_limit: 500 of 500 labels" in lines


def test_a_reader_follows_what_is_new_and_a_claim_alone_is_no_run(pipeline: str) -> None:
    settings = load_settings()
    with StatusReader(settings.kafka, settings.pipeline) as reader:
        assert (reader.read().runs, reader.read().asking) == ((), {})
        tell(CLAIMED)
        assert reader.read().runs == ()
        tell(state(CLAIMED, RunState.RUNNING), Command(line="main", action=Action.PAUSE))
        assert [run.state for run in reader.read().runs] == [RunState.RUNNING]
        tell(state(CLAIMED, RunState.DONE), LATER, Command(line="main", action=Action.RESUME))
        seen = reader.read()
        assert [(run.version, run.state) for run in seen.runs] == [("r-0-0001", RunState.DONE)]
        assert seen.asking["main"].action is Action.RESUME


@pytest.mark.parametrize("event", [state(CLAIMED, RunState.DONE), Command(line="main", action=Action.PAUSE)])
def test_tail_reads_what_trainers_and_people_say(pipeline: str, event: Event) -> None:
    assert isinstance(event, TrainingRun | Command)
    tell(event)
    said = run("tail", event.topic, "--no-follow")
    assert (
        "main/r-0-0001  labels  20 labels  done" if event.topic == "training" else "pause asking by person"
    ) in said
