"""Topics are created once, as the design has them; what differs is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from siftstream.schemas.errors import ConfigError
from siftstream.streams.catalogue import read_catalogue
from siftstream.streams.topics import TOPICS, ensure_topics, require_partitions
from tests.streams.kafka_parts import make_topics, pipeline, settings

pytestmark = pytest.mark.kafka


def test_making_topics_twice_changes_and_tells_nothing(broker: str, topic_prefix: str) -> None:
    for _ in range(2):
        assert ensure_topics(settings(broker), pipeline(topic_prefix)) == []
    states, told = read_catalogue(settings(broker), pipeline(topic_prefix))
    assert told == []
    assert {state.name: state.partitions for state in states} == {
        f"{topic_prefix}.{spec.name}": 2 if spec.parallel else 1 for spec in TOPICS
    }


def test_a_topic_with_other_partitions_or_retention_is_told_and_left_alone(
    broker: str, topic_prefix: str
) -> None:
    labels, scores = f"{topic_prefix}.labels", f"{topic_prefix}.scores"
    make_topics(broker, {labels: {"retention.ms": "3600000"}, scores: {"max.message.bytes": "8388608"}}, 3)
    told = "\n".join(ensure_topics(settings(broker), pipeline(topic_prefix)))
    assert f"{labels} has 3 partitions" in told
    assert f"{scores} has 3 partitions" in told
    assert "retention.ms" in told
    assert "3600000" in told
    with pytest.raises(ConfigError, match=r"has 3 partitions, pipeline\.partitions asks for 2"):
        require_partitions(settings(broker), pipeline(topic_prefix))
    states, _ = read_catalogue(settings(broker), pipeline(topic_prefix))
    assert {state.partitions for state in states if state.name in (labels, scores)} == {3}


def test_two_workers_may_make_the_topics_at_once(broker: str, topic_prefix: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(lambda _: ensure_topics(settings(broker), pipeline(topic_prefix)), range(2)))
    assert told == [[], []]
