"""A shadow line judges what was scored, in free moments; it delays, fails and refuses nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from siftstream.agents.infer.flow import Flow
from siftstream.agents.infer.routing import Routing
from siftstream.agents.infer.scoring import score
from siftstream.agents.infer.settings import InferSettings, LineSettings
from siftstream.agents.infer.shadow import ShadowLine
from siftstream.schemas import Scores, Shadow, share_of
from siftstream.schemas.errors import SchemaError, UnavailableError
from siftstream.streams.record import Outgoing
from siftstream.streams.work import Work
from tests.agents.infer.parts import NAN, FakeModel, alone, decoded, deployed, record


class Room:
    """A shadow line with what it counts and writes, and moments that are free when the test says so."""

    def __init__(self, model: FakeModel | None, share: float = 1.0, most: int = 100) -> None:
        settings = LineSettings(line="next", mode="shadow", share=share)
        deployment: Any = deployed(model, "next")
        self.counts: Counter[str] = Counter()
        self.line = ShadowLine(settings, deployment, "main", most=most, count=self.count)
        self.sent: list[Outgoing] = []
        self.free = asyncio.Event()
        self.free.set()
        self.error: Exception | None = None

    def count(self, name: str, number: float) -> None:
        self.counts[name] += number  # type: ignore[assignment]

    async def idle(self) -> None:
        await self.free.wait()

    async def send(self, outputs: Sequence[Outgoing]) -> None:
        if self.error is not None:
            raise self.error
        self.sent += outputs

    def offer(self, *values: int, offset: int = 0, main: FakeModel | None = None) -> None:
        batches = decoded(record(offset, values, partition=2))
        self.line.offer(batches, score(alone(main or FakeModel("v1", likely=0)), batches))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.001)


@asynccontextmanager
async def listening(room: Room) -> AsyncGenerator[Room, None]:
    task = asyncio.ensure_future(room.line.listen(room.idle, room.send))
    try:
        yield room
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_a_shadow_says_is_recorded_in_its_topic_with_line_and_version() -> None:
    async with listening(Room(FakeModel("n1", likely=1))) as room:
        room.offer(1, 2, 3)
        await room.until(lambda: bool(room.sent))
    (output,) = room.sent
    said = Shadow.decode(output.value)
    assert (output.topic, output.partition) == ("shadow", 2)
    assert (said.line, said.model_version, said.sample_ids) == ("next", "n1", ["2-0-0", "2-0-1", "2-0-2"])
    with pytest.raises(SchemaError, match="an Arrow batch of shadow version 1, not scores"):
        Scores.decode(output.value)  # nobody takes it for the real thing


async def test_agreement_and_difference_are_counted_against_the_main_line() -> None:
    async with listening(Room(FakeModel("n1", likely=1))) as room:
        room.offer(1, 2, NAN, main=FakeModel("v1", likely=0))  # [0.9, 0.1] against [0.1, 0.9]
        await room.until(lambda: room.counts["samples"] == 2)
        room.offer(1, 2, offset=1, main=FakeModel("v1", likely=1))
        await room.until(lambda: room.counts["samples"] == 4)
    assert room.counts["difference"] == pytest.approx(2 * 0.8)
    assert (room.counts["compared"], room.counts["agreed"], room.counts["failed"]) == (4, 2, 1)


async def test_a_sample_that_a_canary_scored_is_recorded_and_not_compared() -> None:
    async with listening(Room(FakeModel("n1"))) as room:
        batches = decoded(record(0, [1, 2]))
        other: Any = FakeModel("c1")
        room.line.offer(batches, score(Routing(deployed(other, "canary")), batches))
        await room.until(lambda: room.counts["samples"] == 2)
    assert room.counts["compared"] == 0


async def test_a_shadow_hears_its_share_alone() -> None:
    async with listening(Room(FakeModel("n1"), share=0.3)) as room:
        room.offer(*[1] * 90)
        await room.until(lambda: bool(room.sent))
    names = [name for output in room.sent for name in Shadow.decode(output.value).sample_ids]
    assert names == [f"2-0-{row}" for row in range(90) if share_of(f"2-0-{row}", "next") < 0.3]


async def test_while_the_main_line_is_busy_a_shadow_waits_and_drops_what_is_too_much(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with listening(Room(FakeModel("n1"), most=5)) as room:
        room.free.clear()
        for offset in range(5):
            room.offer(1, 2, offset=offset)
        assert not room.sent
        assert room.counts["dropped"] == 6
        room.free.set()
        await room.until(lambda: room.counts["samples"] == 4)
        room.offer(1, 2, offset=9)
        await room.until(lambda: room.counts["samples"] == 6)
    told = [entry.getMessage() for entry in caplog.records]
    assert told == ["shadow next cannot keep up and passes over samples"]


async def test_without_a_version_a_shadow_takes_nothing() -> None:
    async with listening(Room(None)) as room:
        room.offer(1, 2)
    assert not room.counts


@pytest.mark.parametrize("away", [UnavailableError("away"), RuntimeError("whatever")])
async def test_what_goes_wrong_in_a_shadow_is_counted_and_it_goes_on(away: Exception) -> None:
    async with listening(Room(FakeModel("n1"))) as room:
        room.error = away
        room.offer(1, 2)
        await room.until(lambda: room.counts["failed"] == 2)
        room.error = None
        room.offer(3, offset=1)
        await room.until(lambda: bool(room.sent))
    assert Shadow.decode(room.sent[0].value).sample_ids == ["2-1-0"]


async def test_the_line_tells_of_what_is_done_after_it_was_sent_and_is_idle_between() -> None:
    model = FakeModel()
    order: list[str] = []

    async def send(work: Work) -> None:
        order.append("sent")

    async def ack(tokens: Sequence[Any]) -> None:
        order.append("acked")

    line = Flow(
        InferSettings(), 1, alone(model), send=send, ack=ack, count=lambda _, __: None,
        done=lambda batches, work: order.append(f"done {len(batches)}"),
    )  # fmt: skip
    async with line.running():
        await asyncio.wait_for(line.idle(), 10)
        model.gate.clear()
        await line.take([(record(0, [1] * 32), 0)])
        while not model.at_once:
            await asyncio.sleep(0.001)
        waiting = asyncio.ensure_future(line.idle())
        await asyncio.sleep(0)
        assert not waiting.done()
        model.gate.set()
        await asyncio.wait_for(waiting, 10)
    assert order == ["sent", "acked", "done 1"]
