"""`siftstream pause`, `resume` and `train` leave a command in the log."""

from __future__ import annotations

from pathlib import Path

import pytest
from kafka import KafkaConsumer
from kafka.structs import TopicPartition
from typer.testing import CliRunner

from siftstream.cli import app
from siftstream.schemas import Action, Command

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic(broker: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker)
    monkeypatch.setenv("SIFTSTREAM_PIPELINE__NAME", topic_prefix)
    monkeypatch.delenv("SIFTSTREAM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    return f"{topic_prefix}.commands"


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == code, result.output
    return result.output


def test_a_persons_words_are_in_the_log(topic: str, broker: str) -> None:
    assert "siftstream resume" in run("pause", "nobody is here")
    assert "asking goes on" in run("resume")
    assert "the next free trainer begins" in run("train", "--supersede", "--why", "new classes")
    consumer = KafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek_to_beginning()
    found: list[Command] = []
    for _ in range(100):
        for batch in consumer.poll(timeout_ms=200).values():
            found += [Command.decode(record.value) for record in batch]
        if len(found) == 3:
            break
    consumer.close()
    assert [(one.action, one.why, one.supersede, one.by) for one in found] == [
        (Action.PAUSE, "nobody is here", False, "person"),
        (Action.RESUME, "", False, "person"),
        (Action.TRAIN, "new classes", True, "person"),
    ]


def test_waiting_without_a_trainer_ends_with_what_to_do(topic: str) -> None:
    assert "no trainer began within 0.5 s" in run("train", "--wait", "--timeout", "0.5", code=1)
