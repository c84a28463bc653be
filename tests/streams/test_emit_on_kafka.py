"""Emitting to a real broker: a record batch is in the log whole, and acknowledged before anyone goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from siftstream.streams.app import StageApp, make_app
from siftstream.streams.record import Outgoing
from siftstream.streams.topics import ensure_topics
from siftstream.streams.transport import MAX_RECORD_BYTES
from tests.streams.kafka_parts import pipeline, read_until, reader, settings

pytestmark = pytest.mark.kafka


@pytest.fixture
async def app(broker: str, topic_prefix: str, tmp_path: Path) -> AsyncIterator[StageApp]:
    """Return a stage's app with only its producer running."""
    await asyncio.to_thread(ensure_topics, settings(broker), pipeline(topic_prefix))
    made = make_app("infer", pipeline(topic_prefix), settings(broker), state_dir=tmp_path)
    yield made
    await made.producer.stop()


async def test_a_batch_stands_in_the_log_whole_and_in_order(app: StageApp, broker: str) -> None:
    def outputs(writer: int) -> list[Outgoing]:
        return [Outgoing("selected", b"%d:%d" % (writer, n), b"k", 0, (("n", b"%d" % n),)) for n in range(50)]

    await asyncio.gather(*(app.emitter.send(outputs(writer)) for writer in range(8)))
    async with reader(broker, app.pipeline.topic("selected")) as consumer:
        records = await read_until(consumer, lambda found: len(found) >= 400)
    assert [record.offset for record in records] == list(range(400))
    for first in range(0, 400, 50):
        batch = records[first : first + 50]
        writer = batch[0].value.split(b":")[0]
        assert [record.value for record in batch] == [b"%s:%d" % (writer, n) for n in range(50)]
        assert [dict(record.headers)["n"] for record in batch] == [b"%d" % n for n in range(50)]


async def test_what_was_sent_is_there_when_send_returns(app: StageApp, broker: str) -> None:
    await app.emitter.send([Outgoing("labels", b"v", b"k", 1, timestamp=1_700_000_000.5)])
    async with reader(broker, app.pipeline.topic("labels"), partitions=2) as consumer:
        (record,) = await read_until(consumer, bool, within=5)
    assert (record.partition, record.key, record.value) == (1, b"k", b"v")
    assert record.timestamp == 1_700_000_000_500


async def test_the_largest_record_and_its_dead_letter_are_taken(app: StageApp, broker: str) -> None:
    value = b"x" * MAX_RECORD_BYTES
    headers = (("siftstream.error.message", b"y" * 4000),)
    await app.emitter.send(
        [
            Outgoing("features", value, b"k", 0),
            Outgoing("dead-letters", value + b"x" * 60_000, b"k", 0, headers),
        ]
    )
    async with reader(broker, app.pipeline.topic("dead-letters")) as consumer:
        (record,) = await read_until(consumer, bool, within=10)
    assert len(record.value) == MAX_RECORD_BYTES + 60_000
