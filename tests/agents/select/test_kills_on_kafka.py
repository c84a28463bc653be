"""Workers come, go and are killed, and choose as one worker would that nobody disturbed."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from siftstream.schemas import Selected
from siftstream.settings import load_settings
from siftstream.streams.topics import ensure_topics
from tests.agents.select.stream import CLASSES, records_of, write
from tests.line.workers import Line, closing, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

SAMPLES, PARTITIONS = 100_000, 4
EVERY, PER_ROUND = 500, 8
SEED = 20261122


@pytest.fixture
def make_line(broker: str, topic_prefix: str, tmp_path: Path) -> Iterator[Callable[[str], Line]]:
    lines: list[Line] = []

    def make(name: str) -> Line:
        folder = tmp_path / name
        folder.mkdir()
        config: dict[str, Any] = {
            "pipeline": {"name": f"{topic_prefix}-{name}", "partitions": PARTITIONS},
            "kafka": {"bootstrap_servers": broker},
            "classes": list(CLASSES),
            "model": {"artifacts": str(folder / "artifacts")},
            "select": {
                "window": {"size": 5_000, "seconds": 12_000},
                "trigger": {"every": EVERY, "seconds": 3_000},
                "budget": {"per_round": PER_ROUND, "fraction": 0.02, "per_hour": 100, "clock": "event"},
                "strategy": {"name": "margin"},
                "audit": {"fraction": 0.2},
            },
            "state": str(folder / "state"),
        }
        line = Line(folder, config)
        settings = load_settings(line.config)
        ensure_topics(settings.kafka, settings.pipeline)
        write(line.bootstrap, line.topic("scores"), records_of(SAMPLES, PARTITIONS))
        lines.append(line)
        return line

    try:
        yield make
    finally:
        for line in lines:
            for _ in closing(line):
                pass


def chosen(line: Line) -> dict[int, list[tuple[Any, ...]]]:
    """What was chosen, by partition, in the order of the log."""
    found: dict[int, list[tuple[Any, ...]]] = {p: [] for p in range(PARTITIONS)}
    for record in sorted(line.records("selected"), key=lambda record: (record.partition, record.offset)):
        one = Selected.decode(record.value)
        found[record.partition].append(
            (one.sample_id, one.round, one.rank, one.reason, round(one.score, 9), one.seen, one.position)
        )
    return found


def test_selections_are_those_of_one_undisturbed_worker(make_line: Callable[[str], Line]) -> None:
    calm = make_line("calm")
    calm.start("select-0")
    calm.wait_through("select", 120)
    calm.stop()
    expected = chosen(calm)
    assert sum(map(len, expected.values())) > 1_000

    wild = make_line("wild")
    dice = random.Random(SEED)
    names = ["select-0"]
    wild.start("select-0")
    total = sum(map(len, expected.values()))
    for share, workers in ((0.1, 1), (0.3, 3), (0.5, 3), (0.65, 2), (0.8, 2)):
        wait_for(lambda share=share: count(wild) >= share * total * dice.uniform(0.8, 1.0), 60, "progress")
        victim = dice.choice(names)
        wild.kill(victim, signal.SIGKILL)
        names.remove(victim)
        spare = [f"select-{n}" for n in range(3) if f"select-{n}" not in names]
        while len(names) < workers:
            names.append(spare.pop(0))
            wild.start(names[-1])
        while len(names) > workers:
            wild.kill(names.pop(), signal.SIGTERM)
    wild.wait_through("select", 120)
    assert chosen(wild) == expected


def count(line: Line) -> int:
    return len(line.records("selected"))
