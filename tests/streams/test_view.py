"""A view folds each record once and in order, whatever the log looks like."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from kafka import KafkaAdminClient, TopicPartition

from siftstream.schemas.errors import SchemaError
from siftstream.streams.record import Record
from siftstream.streams.topics import ensure_topics
from siftstream.streams.view import View
from tests.streams.kafka_parts import pipeline, send, settings

pytestmark = pytest.mark.kafka


class Folded:
    """What a view folded, in order."""

    def __init__(self, bad: bytes | None = None) -> None:
        self.records: list[Record] = []
        self.bad = bad

    def __call__(self, record: Record) -> None:
        if self.bad is not None and record.value == self.bad:
            raise SchemaError("bad")
        self.records.append(record)

    def values(self, partition: int = 0) -> list[bytes | None]:
        return [record.value for record in self.records if record.partition == partition]


@asynccontextmanager
async def view(
    broker: str, prefix: str, fold: Callable[[Record], None], topic: str = "labelled", **more: Any
) -> AsyncIterator[View]:
    """A view of a topic, which is made first."""
    await asyncio.to_thread(ensure_topics, settings(broker), pipeline(prefix))
    made = View(settings(broker), pipeline(prefix), topic, fold, **more)
    try:
        yield made
    finally:
        await made.stop()


async def test_a_refresh_folds_what_is_there_once_and_in_order(broker: str, topic_prefix: str) -> None:
    folded, values = Folded(), [b"%d" % n for n in range(500)]
    async with view(broker, topic_prefix, folded) as labelled:
        await labelled.refresh()
        assert folded.records == []
        for part in (values[:300], values[300:]):
            await send(broker, f"{topic_prefix}.labelled", part)
            await send(broker, f"{topic_prefix}.labelled", part, partition=1)
            await labelled.refresh()
            await labelled.refresh()
        assert folded.values(0) == folded.values(1) == values


async def test_only_the_partitions_asked_for_are_read(broker: str, topic_prefix: str) -> None:
    folded = Folded()
    async with view(broker, topic_prefix, folded) as labelled:
        await send(broker, f"{topic_prefix}.labelled", [b"a"])
        await send(broker, f"{topic_prefix}.labelled", [b"b"], partition=1)
        await labelled.refresh([1])
        assert [record.value for record in folded.records] == [b"b"]


async def test_following_tells_of_each_change(broker: str, topic_prefix: str) -> None:
    folded, changed = Folded(), asyncio.Event()
    async with view(broker, topic_prefix, folded) as labelled:
        following = asyncio.ensure_future(labelled.follow(changed.set))
        try:
            for value in (b"first", b"second"):
                changed.clear()
                await send(broker, f"{topic_prefix}.labelled", [value])
                await asyncio.wait_for(changed.wait(), 10)
            assert folded.values() == [b"first", b"second"]
        finally:
            following.cancel()
            await asyncio.wait({following})


async def test_records_that_came_another_way_are_not_folded_again(broker: str, topic_prefix: str) -> None:
    folded = Folded()
    async with view(broker, topic_prefix, folded) as labelled:
        await send(broker, f"{topic_prefix}.labelled", [b"0", b"1", b"2"])
        assert labelled.fold(Record(f"{topic_prefix}.labelled", 0, 0, None, b"0"))
        await labelled.refresh()
        assert folded.values() == [b"0", b"1", b"2"]
        assert not labelled.fold(Record(f"{topic_prefix}.labelled", 0, 2, None, b"2"))


async def test_a_forgotten_partition_is_read_anew(broker: str, topic_prefix: str) -> None:
    folded = Folded()
    async with view(broker, topic_prefix, folded) as labelled:
        await send(broker, f"{topic_prefix}.labelled", [b"0", b"1"])
        await labelled.refresh()
        labelled.forget(0)
        await labelled.refresh()
        assert folded.values() == [b"0", b"1"] * 2


async def test_a_new_view_of_the_same_log_folds_the_same(broker: str, topic_prefix: str) -> None:
    lives = [Folded(), Folded()]
    for folded in lives:
        async with view(broker, topic_prefix, folded) as labelled:
            if folded is lives[0]:
                await send(broker, f"{topic_prefix}.labelled", [b"%d" % n for n in range(50)])
            await labelled.refresh()
    assert lives[0].records == lives[1].records


async def test_a_log_whose_head_was_deleted_is_read_from_what_is_left(broker: str, topic_prefix: str) -> None:
    folded, topic = Folded(), f"{topic_prefix}.labels"
    async with view(broker, topic_prefix, folded, "labels") as labels:
        await send(broker, topic, [b"%d" % n for n in range(10)])
        await asyncio.to_thread(delete_head, broker, topic, 6)
        await labels.refresh()
        assert folded.values() == [b"6", b"7", b"8", b"9"]
        await asyncio.to_thread(delete_head, broker, topic, 10)
        await send(broker, topic, [b"10"])
        await labels.refresh()
        assert folded.values()[-1] == b"10"


async def test_tombstones_are_folded_too(broker: str, topic_prefix: str) -> None:
    folded = Folded()
    async with view(broker, topic_prefix, folded) as labelled:
        await send(broker, f"{topic_prefix}.labelled", [b"a", None, b"b"])
        await labelled.refresh()
        assert folded.values() == [b"a", None, b"b"]


async def test_a_bad_record_is_passed_over_and_told_only_when_it_is_new(
    broker: str, topic_prefix: str
) -> None:
    folded, refused = Folded(bad=b"bad"), list[int]()

    def refuse(record: Record, error: Exception) -> None:
        del error
        refused.append(record.offset)

    async with view(broker, topic_prefix, folded, refused=refuse) as labelled:
        await send(broker, f"{topic_prefix}.labelled", [b"a", b"bad", b"b"])
        await labelled.refresh()
        await send(broker, f"{topic_prefix}.labelled", [b"c", b"bad", b"d"])
        await labelled.refresh()
        assert (folded.values(), refused) == ([b"a", b"b", b"c", b"d"], [4])


def delete_head(broker: str, topic: str, before: int) -> None:
    """Delete all records before an offset, as retention would."""
    admin = KafkaAdminClient(bootstrap_servers=broker)
    try:
        admin.delete_records({TopicPartition(topic, 0): before})
    finally:
        admin.close()
