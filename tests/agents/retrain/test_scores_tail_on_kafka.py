"""The tail of `scores` is read from its end, as far as one asks; what is no micro-batch is passed over."""

from contextlib import aclosing, closing

import numpy as np
import pytest
from kafka import KafkaProducer

from siftstream.agents.retrain import scores_tail
from siftstream.agents.retrain.scores_tail import ScoresTail
from siftstream.schemas import Scores
from siftstream.streams.settings import KafkaSettings, PipelineSettings
from siftstream.streams.topics import ensure_topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(60)]


def batch(name: str) -> bytes:
    probs = np.full((1, 1, 2), 0.5, np.float32)
    emb = np.zeros((1, 4), np.float16)
    return Scores([name], [name], np.zeros(1), [{}], probs, emb, model_version="v", encoder="e").encode()


async def test_the_newest_come_first_and_reading_ends_when_one_stops(broker: str, topic_prefix: str) -> None:
    kafka = KafkaSettings(bootstrap_servers=broker)
    pipeline = PipelineSettings(name=topic_prefix, partitions=2)
    ensure_topics(kafka, pipeline)
    with closing(KafkaProducer(bootstrap_servers=broker, acks="all")) as producer:
        topic = pipeline.topic(Scores.topic)
        for number in range(40):
            producer.send(topic, batch(f"a{number}"), partition=0, timestamp_ms=1_700_000_000_000 + number)
        producer.send(topic, b"no Arrow", partition=0).get(30)
        producer.send(topic, batch("b0"), partition=1, timestamp_ms=1_700_000_000_000).get(30)
    tail = ScoresTail(kafka, pipeline)
    async with aclosing(tail.latest()) as parts:
        first = [one.sample_ids[0] for one in await anext(parts)]
    assert first == [f"a{number}" for number in range(39, 32, -1)] + ["b0"]
    everything = [one.sample_ids[0] async for part in tail.latest() for one in part]
    assert sorted(everything) == sorted([*(f"a{number}" for number in range(40)), "b0"])
    assert len(first) == scores_tail.FIRST  # seven of the eight newest of one partition, one of the other
