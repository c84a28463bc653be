"""The select stage as a user runs it: a strategy that reads labels gets them as they come."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kafka import KafkaProducer

from siftstream.schemas import Reason, Scores, Selected, TrainingLabel
from siftstream.settings import load_settings
from siftstream.streams.topics import ensure_topics
from tests.line.workers import Line, closing, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

EVERY, PER_ROUND = 20, 4


@pytest.fixture
def line(broker: str, topic_prefix: str, tmp_path: Path) -> Iterator[Line]:
    config: dict[str, Any] = {
        "pipeline": {"name": topic_prefix, "partitions": 1},
        "kafka": {"bootstrap_servers": broker},
        "classes": ["a", "b", "c"],
        "model": {"artifacts": str(tmp_path / "artifacts")},
        "select": {
            "window": {"size": 1000},
            "trigger": {"every": EVERY},
            "budget": {"per_round": PER_ROUND},
            "strategy": {"name": "margin", "parameters": {"class_weight": "balanced"}},
            "audit": {"fraction": 0.0},
        },
        "state": str(tmp_path / "state"),
    }
    yield from closing(Line(tmp_path, config))


def test_labels_that_come_end_the_cold_start_of_a_strategy_that_reads_them(line: Line) -> None:
    settings = load_settings(line.config)
    ensure_topics(settings.kafka, settings.pipeline)
    producer = KafkaProducer(bootstrap_servers=line.bootstrap, acks="all")
    line.start("select-0")
    sent = 0

    def round_of(number: int) -> list[Selected]:
        """Send as many samples as make a round due; return what it chose."""
        nonlocal sent
        rng = np.random.default_rng(sent)
        ids = [f"s{sent + row}" for row in range(EVERY)]
        sent += EVERY
        batch = Scores(
            ids, ids, np.zeros(EVERY), [{}] * EVERY, rng.dirichlet(np.ones(3), (EVERY, 1)).astype(np.float32),
            rng.normal(size=(EVERY, 4)).astype(np.float16), model_version="v1", encoder="e",
        )  # fmt: skip
        producer.send(line.topic("scores"), batch.encode(), partition=0).get(30)

        def chosen() -> Any:
            found = [Selected.decode(record.value) for record in line.records("selected")]
            mine = [one for one in found if one.round == number]
            return mine if len(mine) == PER_ROUND else None

        return wait_for(chosen, 60, f"round {number}")

    first = round_of(0)
    assert {(one.strategy, one.reason) for one in first} == {("typiclust", Reason.COLD_START)}
    for one in first:
        label = TrainingLabel(sample_id=one.sample_id, uri=one.uri, label="a")
        producer.send(line.topic("labelled"), label.encode(), key=label.key, partition=0).get(30)

    rounds = iter(range(1, 100))
    wait_for(
        lambda: all(one.reason is Reason.STRATEGY for one in round_of(next(rounds))),
        60,
        "the end of the cold start",
    )
    producer.close()
    assert "needs labelled" in line.log("select-0")
