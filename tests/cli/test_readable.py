"""Records as lines: every topic of the design, and what is none of its events."""

from __future__ import annotations

import numpy as np
import pytest

from siftstream.cli.readable import lines_of
from siftstream.schemas import (
    Command,
    DataUri,
    Drift,
    Features,
    Label,
    ModelVersion,
    Offer,
    Query,
    Reread,
    Scores,
    Selected,
    Shadow,
    ShadowRound,
    Share,
    TrainingLabel,
    TrainingRun,
)
from siftstream.schemas.errors import TransformError
from siftstream.streams.dead_letters import dead_letter
from siftstream.streams.record import Record
from siftstream.streams.topics import TOPICS

IDS = ["one", "two"]
URIS = ["file:///1.png", "file:///2.png"]
SELECTED = Selected(
    sample_id="one", uri=URIS[0], partition=0, round=3, round_size=8, rank=0, score=0.9, strategy="margin",
    reason="strategy", position=4, seed=0, probabilities={"cat": 0.6, "dog": 0.4}, model_version="v2",
)  # fmt: skip
JUDGED = (
    IDS, URIS, np.zeros(2), [{}, {}], np.full((2, 1, 2), 0.5, np.float32), np.zeros((2, 4), np.float16),
)  # fmt: skip
VALUES = {
    "data-uris": DataUri(uri=URIS[0], sample_id="one", metadata={"camera": "3"}).encode(),
    "features": Features(
        IDS, URIS, np.zeros(2), [{}, {}], {"image": np.zeros((2, 3, 4, 4), np.uint8)}, [bytes(32)] * 2
    ).encode(),
    "scores": Scores(*JUDGED, "v2", "ab").encode(),
    "shadow": Shadow(*JUDGED, "v9", "ab", "next").encode(),
    "selected": SELECTED.encode(),
    "labels": Label(sample_id="one", annotator="ann", action="skip").encode(),
    "labelled": TrainingLabel(sample_id="one", uri=URIS[0], label="cat", annotators=("ann",)).encode(),
    "models": ModelVersion(
        line="main", version="v2", classes=("a",), status="failed", reason="no memory"
    ).encode(),
    "queries": Query(query_id="one", budget=5).encode(),
    "offers": Offer(
        query_id="one",
        partition=2,
        free=9,
        seen=40,
        position=7,
        keys=(5, 9),
        scores=(0.9, 0.4),
        strategy="margin",
        comparable=True,
    ).encode(),
    "budget": Share(account="total", partition=2, epoch=3, given={0: 5}, wants=4).encode(),
    "drift": Drift(
        partition=2,
        seen=4000,
        position=31,
        statistic="confidence",
        detector="adwin",
        model_version="v3",
        before=0.93,
        after=0.71,
    ).encode(),
    "shadow-selected": ShadowRound(
        partition=2, round=3, seen=4000, strategy="badge", sample_ids=("a", "b"), overlap=0.5
    ).encode(),
    "rereads": Reread(partition=2, version="v9", encoder="ab", first=100, end=250).encode(),
    "training": TrainingRun(
        line="main", version="r-0001", trainer="r", state="failed", labels=20, reason="no memory"
    ).encode(),
    "commands": Command(line="main", action="pause", by="label_limit", why="500 of 500").encode(),
}
SAID = {
    "data-uris": "one  file:///1.png  camera=3",
    "features": "one  image uint8 3x4x4  file:///1.png",
    "scores": "one  cat 0.50 dog 0.50  v2  file:///1.png",
    "shadow": "one  cat 0.50 dog 0.50  v9  file:///1.png",
    "selected": "one  margin 0.900 (strategy)  round 3 #1 of 8  cat 0.60 dog 0.40  v2  file:///1.png",
    "labels": "one  skip  by ann",
    "labelled": "one  cat  train  by ann  file:///1.png",
    "models": "main/v2  failed  0 labels  no memory",
    "offers": "one  partition 2: 2 of 9 free by margin",
    "budget": "total  partition 2  5 to 0  wants 4",
    "drift": "partition 2  confidence 0.93 -> 0.71  since v3 (adwin)",
    "shadow-selected": "partition 2 round 3  badge: 2 samples, 50% really chosen",
    "rereads": "partition 2  features 100 to 250 by v9",
    "queries": "one  5 samples  by the configured strategy",
    "training": "main/r-0001  labels  20 labels  failed  no memory",
    "commands": "main  pause asking by label_limit: 500 of 500",
}


def lines(topic: str, value: bytes | None) -> list[str]:
    return lines_of(topic, Record(topic, 1, 7, b"one", value, (), 1.5), ["cat", "dog"])


@pytest.mark.parametrize("topic", [spec.name for spec in TOPICS if spec.name != "dead-letters"])
def test_every_topic_has_a_line_a_sample(topic: str) -> None:
    told = lines(topic, VALUES[topic])
    assert len(told) == (2 if topic in ("features", "scores", "shadow") else 1)
    assert told[0].endswith(f"1@7  {SAID[topic]}")


@pytest.mark.parametrize("topic", [spec.name for spec in TOPICS])
@pytest.mark.parametrize("value", [b"\x00junk\n\xff", None])
def test_any_bytes_in_any_topic_are_one_line(topic: str, value: bytes | None) -> None:
    told = lines(topic, value)
    assert len(told) == 1
    assert "\n" not in told[0]


def test_a_dead_letter_shows_its_reason_and_first_bytes() -> None:
    letter = dead_letter(Record("data-uris", 2, 9, b"k", b"junk"), TransformError("cut short"), "fetch")
    record = Record("dead-letters", 0, 1, letter.key, letter.value, letter.headers)
    assert lines_of("dead-letters", record)[0].endswith(
        "fetch refused data-uris 2@9: TransformError: cut short  | junk"
    )
