"""The topics of the design."""

from __future__ import annotations

from typing import Any

import pytest
from kafka.errors import KafkaConnectionError

from siftstream.schemas import BATCHES, EVENTS
from siftstream.schemas.errors import UnavailableError
from siftstream.streams import topics
from siftstream.streams.dead_letters import TOPIC as DEAD_LETTERS
from siftstream.streams.settings import KafkaSettings, PipelineSettings
from siftstream.streams.topics import TOPICS, ensure_topics, partitions_of
from siftstream.streams.transport import MAX_BATCH_BYTES, MAX_REQUEST_BYTES

SPECS = {spec.name: spec for spec in TOPICS}


def test_every_event_and_micro_batch_has_its_topic() -> None:
    assert {kind.topic for kind in (*EVENTS, *BATCHES)} | {DEAD_LETTERS} == set(SPECS)


@pytest.mark.parametrize("topic", ["data-uris", "features", "scores", "selected", "labels", "labelled"])
def test_what_a_sample_travels_through_has_equally_many_partitions(topic: str) -> None:
    assert partitions_of(topic, PipelineSettings(partitions=12)) == 12


@pytest.mark.parametrize("topic", ["models", "queries", "offers", "budget"])
def test_what_everybody_reads_whole_has_one(topic: str) -> None:
    assert partitions_of(topic, PipelineSettings(partitions=12)) == 1


@pytest.mark.parametrize(
    ("topic", "cleanup"),
    [("labels", "delete"), ("labelled", "compact"), ("models", "compact"), ("selected", "compact")],
)
def test_what_may_not_be_lost_is_kept(topic: str, cleanup: str) -> None:
    assert SPECS[topic].configs["cleanup.policy"] == cleanup
    assert SPECS[topic].configs["retention.ms"] == "-1"


@pytest.mark.parametrize("spec", TOPICS, ids=lambda spec: spec.name)
def test_every_topic_takes_the_largest_batch_that_is_written(spec: object) -> None:
    limit = int(SPECS[spec.name].configs["max.message.bytes"])  # type: ignore[attr-defined]
    assert limit >= max(MAX_BATCH_BYTES, MAX_REQUEST_BYTES)


def test_a_dead_letter_may_be_larger_than_what_died() -> None:
    largest = max(int(s.configs["max.message.bytes"]) for s in TOPICS if s.name != DEAD_LETTERS)
    assert int(SPECS[DEAD_LETTERS].configs["max.message.bytes"]) > largest


def test_a_pipelines_name_stands_before_its_topics_and_groups() -> None:
    named, bare = PipelineSettings(name="cats"), PipelineSettings()
    assert (named.topic("scores"), named.group("infer")) == ("cats.scores", "cats.infer")
    assert (bare.topic("scores"), bare.group("infer")) == ("scores", "siftstream.infer")


@pytest.mark.parametrize("name", ["a.b", "a b", "x" * 65, "ä"])
def test_a_name_that_kafka_would_mix_up_or_refuse_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        PipelineSettings(name=name)


def test_a_cluster_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_: Any) -> None:
        raise KafkaConnectionError

    monkeypatch.setattr(topics, "KafkaAdminClient", away)
    with pytest.raises(UnavailableError, match=r"Kafka at nowhere:9092 .* is it up"):
        ensure_topics(KafkaSettings(bootstrap_servers="nowhere:9092"), PipelineSettings())
