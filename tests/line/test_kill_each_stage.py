"""Must show: kill -9 of each stage, twice, during a run: nothing is lost, nothing is asked twice."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kafka import KafkaProducer
from PIL import Image

from siftstream.schemas import DataUri, Label, Scores, Selected, TrainingLabel
from siftstream.schemas.errors import SchemaError
from siftstream.streams.partition import partition_of
from tests.agents.select.lives import World
from tests.line.workers import STAGES, Line, closing, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

URIS = 5_000
CLASSES = ["dark", "light"]
SELECT = {
    "window": {"size": 400},
    "trigger": {"every": 100},
    "budget": {"per_round": 5},
    "strategy": {"name": "k-center"},
}


@pytest.fixture
def line(broker: str, topic_prefix: str, tmp_path: Path) -> Iterator[Line]:
    config = {
        "pipeline": {"name": topic_prefix, "partitions": 4},
        "kafka": {"bootstrap_servers": broker},
        "classes": CLASSES,
        "transform": {"height": 8, "width": 8, "channels": 1},
        "model": {"artifacts": str(tmp_path / "artifacts")},
        "select": SELECT,
        "retrain": {"min_labels": 1_000_000},
        "state": str(tmp_path / "state"),
    }
    yield from closing(Line(tmp_path, config))


def write_images(folder: Path, count: int) -> list[str]:
    folder.mkdir()
    rng = np.random.default_rng(0)
    uris: list[str] = []
    for number, pixels in enumerate(rng.integers(0, 255, (count, 8, 8), dtype=np.uint8)):
        path = folder / f"{number}.png"
        Image.fromarray(pixels).save(path)
        uris.append(path.as_uri())
    return uris


def test_kill_nine_of_each_stage_twice_loses_nothing_and_asks_nothing_twice(
    line: Line, tmp_path: Path
) -> None:
    uris = write_images(tmp_path / "images", URIS)
    cut_short = tmp_path / "images" / "short.png"
    cut_short.write_bytes((tmp_path / "images" / "0.png").read_bytes()[:40])
    uris += [cut_short.as_uri(), (tmp_path / "nowhere.png").as_uri()]
    for stage in STAGES:
        line.start(f"{stage}-0")
    producer = KafkaProducer(bootstrap_servers=line.bootstrap, acks="all")
    wait_for(lambda: _topics_exist(producer, line), 30, "topics")

    kills = [stage for _ in range(2) for stage in STAGES]
    part = len(uris) // (len(kills) + 1)
    sent: set[str] = set()
    for number, uri in enumerate(uris):
        event = DataUri(uri=uri)
        producer.send(line.topic("data-uris"), event.encode(), key=event.key)
        sent.add(event.sample_id)
        if number % part == part - 1 and kills:
            producer.flush()
            victim = kills.pop(0)
            line.kill(f"{victim}-0")  # at once, while the line is at work on what was sent just now
            line.start(f"{victim}-0")
            wait_for(lambda: set.union(*_ended(line)) >= sent, 60, f"scores after {victim} was killed")
            _label_all(line, producer)
    for topic in ("data-uris", "features", "scores", "labels", "labelled"):
        producer.send(line.topic(topic), b"\xff garbage", key=b"junk", partition=0).get(30)
    producer.flush()
    assert not kills

    names = {DataUri(uri=uri).sample_id for uri in uris}
    ended = wait_for(
        lambda: _ended(line) if _ended(line)[0] | _ended(line)[1] >= names else None, 90, "every URI ends"
    )
    scored, dead = ended
    assert scored | dead == names
    assert dead == {DataUri(uri=uri).sample_id for uri in uris[-2:]}

    expected = _undisturbed(line)
    wait_for(lambda: _selected(line) == expected, 30, "the selections of an undisturbed life")
    everyone = [name for picks in expected.values() for name, _, _ in picks]
    assert len(everyone) == len(set(everyone)) > 100

    labelled = _label_all(line, producer)
    assert set(labelled) == set(everyone)
    wait_for(lambda: _resolved(line).items() >= labelled.items(), 60, "every label is in the pool")
    assert _resolved(line) == labelled
    producer.close()

    letters = wait_for(lambda: x if len(x := _letters(line)) >= 7 else None, 30, "seven dead letters")
    stages_that_refused = {(stage, topic) for stage, topic, _ in letters}
    assert stages_that_refused == {
        ("fetch", "data-uris"), ("infer", "features"), ("select", "scores"),
        ("consensus", "labels"), ("retrain", "labelled"),
    }  # fmt: skip
    reasons = " ".join(reason for _, _, reason in letters)
    assert "nowhere.png" in reasons
    assert "short.png" in reasons or "cut off" in reasons


def _topics_exist(producer: KafkaProducer, line: Line) -> bool:
    return bool(producer.partitions_for(line.topic("data-uris")))


def _label_all(line: Line, producer: KafkaProducer) -> dict[str, str]:
    """Answer every selection (again): repeats are harmless."""
    said: dict[str, str] = {}
    sent: list[Any] = []
    for record in line.records("selected"):
        chosen = Selected.decode(record.value)
        said[chosen.sample_id] = CLASSES[int(chosen.sample_id, 16) % 2]
        label = Label(sample_id=chosen.sample_id, annotator="ann", label=said[chosen.sample_id])
        sent.append(producer.send(line.topic("labels"), label.encode(), key=label.key))
    for future in sent:
        future.get(30)
    return said


def _ended(line: Line) -> tuple[set[str], set[str]]:
    scored: set[str] = set()
    for record in line.records("scores"):
        try:
            scored.update(Scores.decode(record.value).sample_ids)
        except SchemaError:
            assert record.value == b"\xff garbage"
    dead = {
        (record.key or b"").decode() for record in line.records("dead-letters")
        if dict(record.headers)["siftstream.error.topic"].decode() == line.topic("data-uris")
        and record.key != b"junk"
    }  # fmt: skip
    return scored, dead


def _selected(line: Line) -> dict[int, list[tuple[str, int, int]]]:
    found: dict[int, list[tuple[str, int, int]]] = defaultdict(list)
    for record in line.records("selected"):
        chosen = Selected.decode(record.value)
        assert record.partition == partition_of(chosen.sample_id, line.partitions)
        found[record.partition].append((chosen.sample_id, chosen.round, chosen.rank))
    return dict(found)


def _undisturbed(line: Line) -> dict[int, list[tuple[str, int, int]]]:
    """What a select that was never killed makes of the same `scores`."""
    world = World(SELECT, line.partitions, classes=CLASSES)
    for record in line.records("scores"):
        try:
            world.feed(record.partition, Scores.decode(record.value))
        except SchemaError:
            continue
    return {
        p: [(name, one.round, one.rank) for name, one in log.selected if one is not None]
        for p, log in enumerate(world.logs)
        if log.selected
    }


def _resolved(line: Line) -> dict[str, str]:
    pool: dict[str, str] = {}
    for record in line.records("labelled"):
        try:
            label = TrainingLabel.decode(record.value)
        except SchemaError:
            continue
        pool[label.sample_id] = label.label or ""
    return pool


def _letters(line: Line) -> list[tuple[str, str, str]]:
    letters: list[tuple[str, str, str]] = []
    for record in line.records("dead-letters"):
        told = {name.removeprefix("siftstream.error."): value.decode() for name, value in record.headers}
        letters.append((told["stage"], told["topic"].removeprefix(f"{line.prefix}."), told["message"]))
    return letters
