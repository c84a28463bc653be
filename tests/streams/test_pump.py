"""The event pump, without Kafka: when events are handed out, which are tracked, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from siftstream.streams.pump import pump
from tests.streams.channel_parts import Channel, QueueApp, event

NEVER = 3600.0  # a test that waited for it would not end
DEADLINE = 5.0


class Source:
    """A pump over a queue that the test fills."""

    def __init__(self, at_most: int = 100, within: float = NEVER) -> None:
        self.app = QueueApp()
        self.channel: Channel = self.app.channel()
        stream = SimpleNamespace(channel=self.channel)
        self._lists: AsyncIterator[list[Any]] = pump(self.app, stream, at_most=at_most, within=within)

    def put(self, *offsets: int, generation: int = 2) -> None:
        for offset in offsets:
            self.channel.queue.put_nowait(event(offset, generation))

    async def next(self) -> list[int]:
        async with asyncio.timeout(DEADLINE):
            return [found.message.offset for found in await anext(self._lists)]

    async def ends(self) -> bool:
        async with asyncio.timeout(DEADLINE):
            return [found async for found in self._lists] == []


async def test_a_lone_event_waits_for_nothing() -> None:
    source = Source()
    source.put(7)
    assert await source.next() == [7]


async def test_what_waits_comes_together_in_order_up_to_the_limit() -> None:
    source = Source(at_most=3)
    source.put(*range(7))
    assert [await source.next() for _ in range(3)] == [[0, 1, 2], [3, 4, 5], [6]]


async def test_events_that_come_a_few_turns_of_the_loop_apart_come_together() -> None:
    source = Source()

    async def consumer() -> None:
        for offset in range(20):
            for _ in range(4):
                await asyncio.sleep(0)
            source.put(offset)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(consumer())
        assert await source.next() == list(range(20))


async def test_an_input_that_is_never_quiet_is_handed_out_when_time_is_up() -> None:
    source = Source(at_most=10**9, within=0.01)

    async def consumer() -> None:
        offset = 0
        while True:
            source.put(offset := offset + 1)
            await asyncio.sleep(0)

    endless = asyncio.create_task(consumer())
    assert await source.next()
    endless.cancel()


async def test_others_have_their_turn_while_lists_are_full() -> None:
    source, turns = Source(at_most=1), 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    source.put(*range(10))
    for _ in range(10):
        await source.next()
    assert turns >= 9
    task.cancel()


async def test_events_are_tracked_when_taken_and_not_before() -> None:
    source = Source(at_most=2)
    source.put(0, 1, 2)
    await source.next()
    assert source.app.tracked == [0, 1]


async def test_a_topic_without_acknowledgements_is_not_tracked() -> None:
    source = Source()
    source.app.topics.acking_topics.clear()
    source.put(0)
    assert (await source.next(), source.app.tracked) == ([0], [])


async def test_events_of_another_generation_are_neither_handed_out_nor_tracked() -> None:
    source = Source()
    source.put(0, 1, generation=1)
    source.put(2)
    assert (await source.next(), source.app.tracked) == ([2], [2])


async def test_what_comes_out_while_the_flow_is_suspended_is_left_to_be_read_again() -> None:
    source = Source()
    source.app.flow_control.suspend()
    source.put(0, 1)
    pending = asyncio.create_task(source.next())
    while source.channel.queue.qsize():
        await asyncio.sleep(0)
    source.app.flow_control.resume()
    source.put(2)
    assert (await pending, source.app.tracked) == ([2], [2])


async def test_it_ends_where_faust_stops_the_actor() -> None:
    source = Source()
    waiting = asyncio.create_task(source.ends())
    await asyncio.sleep(0)
    await source.channel.queue.throw(StopAsyncIteration())
    assert await waiting
    assert source.channel.stopped


async def test_what_was_taken_comes_before_the_stop() -> None:
    source = Source(at_most=2)
    source.put(0)
    first = asyncio.create_task(source.next())
    while source.channel.queue.qsize():
        await asyncio.sleep(0)
    await source.channel.queue.throw(StopAsyncIteration())
    assert await first == [0]
    assert await source.ends()


async def test_an_error_thrown_into_the_channel_reaches_the_stage() -> None:
    source = Source()
    await source.channel.queue.throw(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await source.next()


async def test_a_cancelled_stage_leaves_what_waits_untracked() -> None:
    source = Source()
    waiting = asyncio.create_task(source.next())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    source.put(0)
    assert (source.app.tracked, source.channel.stopped) == ([], True)
