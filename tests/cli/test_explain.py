"""`siftstream explain` and `siftstream audit` on the real broker, from records of a plain producer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kafka import KafkaProducer
from typer.testing import CliRunner

from siftstream.cli import app
from siftstream.schemas import (
    Artifact,
    DataUri,
    Features,
    Label,
    ModelVersion,
    Query,
    Scores,
    Selected,
    Shadow,
    ShadowRound,
    TrainingLabel,
    sample_id_of,
)
from siftstream.schemas.bulk import encode_many
from siftstream.schemas.errors import LoadError
from siftstream.streams.dead_letters import dead_letter
from siftstream.streams.partition import partition_of
from siftstream.streams.record import Record
from siftstream.streams.settings import KafkaSettings, PipelineSettings
from siftstream.streams.topics import ensure_topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]
PARTITIONS = 4
FILE = Artifact(uri="file:///model", sha256="0" * 64, size=1)
URI = "file:///data/cat.png"
CAT = sample_id_of(URI)
PUSHED = 1_700_000_000.0  # seconds since the epoch


class Writer:
    """A plain producer that writes a pipeline's records at moments of its choosing."""

    def __init__(self, broker: str, name: str) -> None:
        self._name = name
        self._producer: Any = KafkaProducer(bootstrap_servers=broker, acks="all")

    def write(
        self, topic: str, value: bytes | None, partition: int, at: float, key: bytes | None = None,
        headers: Any = (),
    ) -> int:  # fmt: skip
        sent = self._producer.send(
            f"{self._name}.{topic}", value, key=key, partition=partition, headers=list(headers),
            timestamp_ms=int((PUSHED + at) * 1000),
        )  # fmt: skip
        return sent.get(timeout=20).offset

    def event(self, event: Any, at: float, partition: int | None = None) -> int:
        where = partition_of(event.key.decode(), PARTITIONS) if partition is None else partition
        return self.write(event.topic, event.encode(), where, at, event.key)

    def close(self) -> None:
        self._producer.close(timeout=10)


@pytest.fixture
def writer(broker: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker)
    monkeypatch.setenv("SIFTSTREAM_PIPELINE__NAME", topic_prefix)
    monkeypatch.setenv("SIFTSTREAM_CLASSES", '["cat", "dog"]')
    monkeypatch.delenv("SIFTSTREAM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    # timestamps lie in the past: what deletes by time must leave them
    pipeline = PipelineSettings(name=topic_prefix, partitions=PARTITIONS)
    keep_for_ever(broker, pipeline)
    ours = Writer(broker, topic_prefix)
    yield ours
    ours.close()


def keep_for_ever(broker: str, pipeline: PipelineSettings) -> None:
    from kafka import KafkaAdminClient
    from kafka.admin import ConfigResource, ConfigResourceType

    ensure_topics(KafkaSettings(bootstrap_servers=broker), pipeline)
    admin = KafkaAdminClient(bootstrap_servers=broker)
    try:
        names = ["data-uris", "features", "scores", "shadow", "shadow-selected", "queries", "dead-letters"]
        admin.alter_configs(
            [
                ConfigResource(ConfigResourceType.TOPIC, pipeline.topic(name), configs={"retention.ms": "-1"})
                for name in names
            ]
        )
    finally:
        admin.close()


def chosen(name: str, reason: str, **more: Any) -> Selected:
    facts: dict[str, Any] = {
        "uri": f"file:///{name}", "partition": 0, "round": 1, "round_size": 2, "rank": 0, "score": 0.9,
        "strategy": "margin", "prediction": "cat", "position": 0, "seed": 0, "model_line": "main",
        "model_version": "v1", "seen": 40,
    }  # fmt: skip
    return Selected(sample_id=name, reason=reason, **facts | more)


def version(name: str, began: float) -> ModelVersion:
    return ModelVersion(
        line="main", version=name, classes=("cat", "dog"), status="live", encoder=FILE, head=FILE,
        seconds=5.0, trained_on=9, pool_size=9, created_at=PUSHED + began + 5,
    )  # fmt: skip


def write_everything(writer: Writer) -> None:
    """A sample through every topic: pushed by another partitioner, chosen, recalled, asked for by a query."""
    home = partition_of(CAT, PARTITIONS)
    elsewhere = (home + 1) % PARTITIONS
    beside = [DataUri(uri=f"file:///{n}.png") for n in range(3)]
    writer.write(
        "data-uris", encode_many([*beside, DataUri(uri=URI, metadata={"camera": "3"})]), elsewhere, 0
    )
    ids, uris = ["other", CAT], ["file:///other", URI]
    row = (ids, uris, np.zeros(2), [{}, {}])
    judged = (*row, np.full((2, 1, 2), 0.5, np.float32), np.zeros((2, 4), np.float16))
    features = Features(*row, {"image": np.zeros((2, 1, 8, 8), np.uint8)}, [bytes(32), b"\xab" * 32])
    source = writer.write("features", features.encode(), home, 1)
    writer.write("scores", b"junk", home, 1.5)
    position = writer.write("scores", Scores(*judged, "v1", "e", "main", source).encode(), home, 2)
    writer.write("shadow", Shadow(*judged, "v9", "e", "next", source).encode(), home, 2.1)
    shadow = ShadowRound(partition=home, round=1, seen=40, strategy="badge", sample_ids=("x", CAT))
    writer.event(shadow, 2.9, home)
    writer.event(chosen(CAT, "strategy", uri=URI, partition=home, position=position), 3)
    writer.write("selected", None, home, 4, CAT.encode())
    writer.event(Query(query_id="q1", budget=7), 5, 0)
    writer.event(chosen(CAT, "query", uri=URI, query_id="q1", trigger="query", position=position), 6)
    writer.event(Label(sample_id=CAT, annotator="ann", action="skip"), 7)
    writer.event(Label(sample_id=CAT, annotator="bob", label="cat"), 8)
    writer.event(TrainingLabel(sample_id=CAT, uri=URI, resolved_at=PUSHED + 7.1), 7.1)
    writer.event(
        TrainingLabel(sample_id=CAT, uri=URI, label="cat", annotators=("bob",), resolved_at=PUSHED + 8.1), 8.1
    )
    writer.event(version("v2", 7.5), 12.5, 0)
    writer.event(version("v3", 9), 14, 0)
    read = Record("data-uris", elsewhere, 0, CAT.encode(), b"{}")
    letter = dead_letter(read, LoadError("gone for a while"), "fetch")
    writer.write("dead-letters", letter.value, elsewhere, 0.5, letter.key, letter.headers)


def run(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def told(*words: str) -> Any:
    result = run("explain", *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_sample_is_told_from_every_topic_it_passed(writer: Writer) -> None:
    write_everything(writer)
    story = told(CAT)
    assert [(moment["topic"], moment["text"].split(" ")[0]) for moment in story["moments"]] == [
        ("data-uris", "pushed:"), ("dead-letters", "refused"), ("features", "fetched:"),
        ("scores", "scored"), ("shadow", "scored"), ("shadow-selected", "badge,"), ("selected", "chosen"),
        ("selected", "recalled:"), ("queries", "query"), ("selected", "chosen"), ("labels", "ann"),
        ("labelled", "resolved:"), ("labels", "bob"), ("labelled", "resolved:"), ("models", "main/v3"),
    ]  # fmt: skip
    texts = [moment["text"] for moment in story["moments"]]
    assert texts[2].startswith("fetched: image uint8 1x8x8, of bytes with sha256 abababababab")
    assert texts[4] == "scored by next/v9: cat 0.50 dog 0.50 (features@0)"
    assert "chosen again for query q1 by margin" in texts[9]
    assert (story["state"], story["slice"], story["missing"]) == ("labelled 'cat'", "train", [])
    assert [one["version"] for one in story["versions"]] == ["v3"], "v2 began while it was only skipped"

    for words in (URI, CAT[:12], f"{CAT[:12]}…"):
        assert told(words)["sample_id"] == CAT
    page = run("explain", CAT)
    assert page.exit_code == 0, page.output
    assert "now     labelled 'cat'" in page.stdout
    home = partition_of(CAT, PARTITIONS)
    assert re.search(rf"selected {home}@0 +chosen by strategy margin \(score 0\.9\), #1 of 2", page.stdout)

    unknown = run("explain", "nobody")
    assert unknown.exit_code == 1
    assert "no sample in the topics has the id, or beginning of an id, 'nobody'" in unknown.output
    assert "begins several ids" in run("explain", "").output


def test_what_the_log_has_deleted_is_said(writer: Writer, broker: str, topic_prefix: str) -> None:
    from kafka import KafkaAdminClient
    from kafka.structs import TopicPartition

    write_everything(writer)
    home = partition_of(CAT, PARTITIONS)
    admin = KafkaAdminClient(bootstrap_servers=broker)
    try:
        admin.delete_records({TopicPartition(f"{topic_prefix}.features", home): -1})
    finally:
        admin.close()
    assert told(CAT)["missing"] == ["features: no longer in the log"]
    (one,) = [words for words in told(CAT, "--since", "1h")["missing"] if words.startswith("scores")]
    assert one.startswith("scores: not there since ")


def test_reading_to_the_end_shows_what_was_scored_anew(writer: Writer) -> None:
    write_everything(writer)
    probs = np.full((1, 1, 2), 0.5, np.float32)
    row = ([CAT], [URI], np.zeros(1), [{}], probs, np.zeros((1, 4), np.float16))
    again = Scores(*row, "v3", "f", "main", 0, again=True)
    writer.write("scores", again.encode(), partition_of(CAT, PARTITIONS), 20)
    assert sum(moment["topic"] == "scores" for moment in told(CAT)["moments"]) == 1
    last = told(CAT, "--whole")["moments"][-1]
    assert last["text"].startswith("scored again, on request by main/v3")


def test_a_pipeline_that_is_not_there_is_told_in_a_sentence(
    broker: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker)
    monkeypatch.setenv("SIFTSTREAM_PIPELINE__NAME", topic_prefix)
    monkeypatch.chdir(tmp_path)
    for words in (["explain", "a"], ["audit"]):
        result = run(*words)
        assert result.exit_code == 1
        assert "is not there: is pipeline.name right?" in result.output
    assert "--since 'soon'" in run("explain", "a", "--since", "soon").output


def test_the_audit_over_all_partitions(writer: Writer) -> None:
    empty = run("audit")
    assert empty.exit_code == 0, empty.output
    assert "No label of the audit yet: nothing can be said of the stream." in empty.stdout
    assert "nan" not in empty.stdout
    for number in range(20):
        name = f"drawn-{number}"
        writer.event(chosen(name, "audit", inclusion_probability=0.1 if number < 10 else 0.5), number)
        label = "dog" if number % 10 == 0 else "cat"
        writer.event(TrainingLabel(sample_id=name, uri="file:///x", label=label, slice="audit"), number)
        name = f"wanted-{number}"
        writer.event(chosen(name, "strategy", model_version=f"v{1 + number % 2}"), number)
        skipped = number == 19
        word = None if skipped else ("dog" if number % 2 else "cat")
        writer.event(TrainingLabel(sample_id=name, uri="file:///x", label=word), number)
    writer.event(chosen("waits", "audit", inclusion_probability=0.5), 30)
    result = run("audit", "--by", "version", "--json")
    assert result.exit_code == 0, result.output
    overall, first, second = json.loads(result.stdout)["groups"]
    assert overall["accuracy"]["value"] == pytest.approx(0.9)
    assert overall["strategy_error"]["value"] == pytest.approx(9 / 19)
    assert overall["lift"]["value"] == pytest.approx(90 / 19)
    assert (overall["audit"]["waiting"], overall["strategy"]["skipped"]) == (1, 1)
    assert (first["name"], second["name"]) == ("main/v1", "main/v2")
    assert second["lift"]["value"] is None, "v2 has no audit label of its own"
    page = run("audit", "--level", "0.95").stdout
    assert "20 of 21" in page
    assert "Intervals of 95%" in page
    assert "Not counted: 1 skipped, 1 not answered yet." in page
