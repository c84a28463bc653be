"""A followed view hears at once, costs little while nothing happens, and outlives its broker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient

from siftstream.streams import tail
from siftstream.streams.broker import LocalBroker
from siftstream.streams.topics import ensure_topics
from siftstream.streams.view import View
from tests.streams.kafka_parts import pipeline, producer, send, settings
from tests.streams.test_view import Folded

pytestmark = pytest.mark.kafka


class Followed:
    """A view that is followed, what it folded, and a way to wait for more."""

    def __init__(self, made: View, folded: Folded) -> None:
        self.view, self.folded = made, folded
        self.wanted: set[int] | None = None
        self.calls = 0
        self._changed = asyncio.Event()

    def changed(self) -> None:
        self.calls += 1
        self._changed.set()

    def partitions(self) -> Iterable[int]:
        return range(2) if self.wanted is None else self.wanted

    async def until(self, holds: Callable[[], bool], within: float = 20.0) -> None:
        async with asyncio.timeout(within):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def until_values(self, values: Iterable[bytes], partition: int = 0, within: float = 20.0) -> None:
        wanted = list(values)
        await self.until(lambda: len(self.folded.values(partition)) >= len(wanted), within)
        assert self.folded.values(partition) == wanted


@asynccontextmanager
async def followed(broker: str, prefix: str, folded: Folded) -> AsyncGenerator[Followed]:
    await asyncio.to_thread(ensure_topics, settings(broker), pipeline(prefix))
    made = View(settings(broker), pipeline(prefix), "labelled", folded)
    one = Followed(made, folded)
    following = asyncio.ensure_future(made.follow(one.changed, one.partitions))
    try:
        yield one
    finally:
        following.cancel()
        await asyncio.wait({following})
        await made.stop()


async def test_a_record_is_folded_long_before_a_poll_would_have_come(broker: str, topic_prefix: str) -> None:
    folded, topic, took = Folded(), f"{topic_prefix}.labelled", list[float]()
    async with followed(broker, topic_prefix, folded) as one, producer(broker) as writer:
        for number in range(21):
            await writer.send_and_wait(topic, b"%d" % number, b"key", partition=number % 2)
            written = monotonic()
            await one.until(lambda number=number: len(folded.records) > number)
            took.append(monotonic() - written)
    assert sorted(took[1:])[10] < 0.1


async def test_silence_costs_two_requests_a_second(
    broker: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, enough, plain = list[float](), asyncio.Event(), AIOKafkaClient.send

    async def counted(self: Any, *args: Any, **more: Any) -> Any:
        sent.append(monotonic())
        if len(sent) == 7:
            enough.set()
        return await plain(self, *args, **more)

    async with followed(broker, topic_prefix, Folded()) as one:
        await send(broker, f"{topic_prefix}.labelled", [b"0"])
        await one.until_values([b"0"])
        monkeypatch.setattr(AIOKafkaClient, "send", counted)
        await asyncio.wait_for(enough.wait(), 30)
    assert sent[6] - sent[1] > 2.0  # the first is in its own time


async def test_following_and_refreshing_at_once_fold_each_record_once(broker: str, topic_prefix: str) -> None:
    folded, values = Folded(), [b"%d" % n for n in range(3_000)]
    async with followed(broker, topic_prefix, folded) as one:

        async def refreshing() -> None:
            while len(folded.values(0)) < len(values):
                await one.view.refresh()

        async def writing() -> None:
            for start in range(0, len(values), 100):
                await send(broker, f"{topic_prefix}.labelled", values[start : start + 100])

        async with asyncio.timeout(60):
            await asyncio.gather(refreshing(), writing())
        await one.until_values(values)
        assert one.calls <= len(values)


async def test_a_follower_that_is_cancelled_while_it_connects_leaves_nothing_behind(
    broker: str, topic_prefix: str
) -> None:
    for turns in range(0, 60, 4):
        async with followed(broker, topic_prefix, Folded()) as one:
            await one.view.refresh()
            for _ in range(turns):
                await asyncio.sleep(0)


async def test_partitions_that_come_in_are_caught_up_and_those_that_go_out_are_left(
    broker: str, topic_prefix: str
) -> None:
    folded, topic = Folded(), f"{topic_prefix}.labelled"
    async with followed(broker, topic_prefix, folded) as one:
        one.wanted = set()
        await send(broker, topic, [b"a0", b"b0"], 0)
        await send(broker, topic, [b"a1", b"b1"], 1)
        one.wanted = {0}
        await one.until_values([b"a0", b"b0"], 0)
        assert folded.values(1) == []
        one.wanted = {1}
        await one.until_values([b"a1", b"b1"], 1)
        await send(broker, topic, [b"c0"], 0)
        await send(broker, topic, [b"c1"], 1)
        await one.until_values([b"a1", b"b1", b"c1"], 1)
        assert folded.values(0) == [b"a0", b"b0"]
        one.wanted = {0, 1}
        await one.until_values([b"a0", b"b0", b"c0"], 0)


async def test_what_is_forgotten_while_it_is_followed_is_read_anew_and_whole(
    broker: str, topic_prefix: str
) -> None:
    folded, topic = Folded(), f"{topic_prefix}.labelled"
    async with followed(broker, topic_prefix, folded) as one:
        await send(broker, topic, [b"0", b"1", b"2"])
        await one.until_values([b"0", b"1", b"2"])
        folded.records.clear()
        one.view.forget(0)
        await send(broker, topic, [b"3"])
        await one.until_values([b"0", b"1", b"2", b"3"])


async def test_an_outage_is_told_once_and_nothing_is_missed_or_folded_twice(
    topic_prefix: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "siftstream")
    monkeypatch.setattr(tail, "DEAF_S", 2.0)
    folded, values = Folded(), [b"%d" % n for n in range(40)]
    topic = f"{topic_prefix}.labelled"

    def told(words: str) -> int:
        return sum(
            words in one.getMessage() for one in caplog.records if one.name == "siftstream.streams.view"
        )

    with LocalBroker() as own:
        async with followed(own.bootstrap, topic_prefix, folded) as one:
            for outage in range(2):
                await send(own.bootstrap, topic, values[20 * outage : 20 * outage + 10])
                await one.until_values(values[: 20 * outage + 10])
                own.kill()
                assert own.ended(10)
                async with asyncio.timeout(30):
                    while told("could not be followed") <= outage:
                        await asyncio.sleep(0.05)  # a look, while the view waits for an answer
                await asyncio.to_thread(own.restart)
                await send(own.bootstrap, topic, values[20 * outage + 10 : 20 * outage + 20])
                await one.until_values(values[: 20 * outage + 20], within=60)
            async with asyncio.timeout(10):
                while told("is followed again") < 2:
                    await asyncio.sleep(0.05)
    assert told("could not be followed") == 2
