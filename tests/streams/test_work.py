"""The loop of every stage, without Kafka: what is retried, refused, emitted and acknowledged."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siftstream.schemas import Label
from siftstream.schemas.errors import BadRecord, EmitTimeout, SchemaError, UnavailableError
from siftstream.streams import work as work_module
from siftstream.streams.record import Outgoing, Record
from siftstream.streams.transport import MAX_RECORD_BYTES
from siftstream.streams.work import Work, bisected, decoded, patiently, work_through
from tests.streams.channel_parts import QueueApp, event


def records(count: int) -> list[Record]:
    return [Record("t", 0, offset, None, b"%d" % offset) for offset in range(count)]


def copied(record: Record) -> Outgoing:
    return Outgoing("scores", record.value, partition=0)


@dataclass
class App(QueueApp):
    """What the loop needs of a stage's app; `failures` are raised by the first sends."""

    failures: list[Exception] = field(default_factory=list[Exception])
    sent: list[Outgoing] = field(default_factory=list[Outgoing])
    forgotten: list[int] = field(default_factory=list[int])
    stage: str = "infer"

    @property
    def emitter(self) -> App:
        return self

    async def send(self, outputs: Sequence[Outgoing]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.sent += outputs

    def forget(self, message: Any) -> None:
        self.forgotten.append(message.offset)


class Stream:
    """Hands out events of (offset, generation), and notes each acknowledgement beside what was sent."""

    def __init__(self, app: App, events: list[tuple[int, int]]) -> None:
        self.app, self.channel = app, app.channel()
        self.acked: list[tuple[int, int]] = []
        for offset, generation in events:
            self.channel.queue.put_nowait(event(offset, generation))

    async def ack(self, event: Any) -> None:
        self.acked.append((event.message.offset, len(self.app.sent)))
        if self.channel.queue.empty():
            await self.channel.queue.throw(StopAsyncIteration())


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(work_module, "wait_random_exponential", lambda **_: lambda _: 0.0)


@settings(deadline=None)  # a busy machine is no failure
@given(st.data(), st.integers(1, 256))
async def test_bisecting_isolates_any_poisons_with_few_calls(data: st.DataObject, count: int) -> None:
    poisons = data.draw(st.sets(st.integers(0, count - 1), max_size=min(count, 12)))
    calls = 0

    async def handle(batch: Sequence[Record]) -> Work:
        nonlocal calls
        calls += 1
        if bad := [record.offset for record in batch if record.offset in poisons]:
            raise SchemaError(f"bad: {bad}")
        return Work([copied(record) for record in batch])

    work = await bisected(handle, records(count))
    assert {record.offset for record, _ in work.refused} == poisons
    assert [output.value for output in work.outputs] == [
        record.value for record in records(count) if record.offset not in poisons
    ]
    assert calls <= 1 + 2 * len(poisons) * math.ceil(math.log2(count) + 1)


async def test_a_bug_on_one_record_refuses_that_record_alone() -> None:
    async def handle(batch: Sequence[Record]) -> Work:
        if any(record.offset == 2 for record in batch):
            raise ZeroDivisionError
        return Work([copied(record) for record in batch])

    work = await bisected(handle, records(4))
    assert [(record.offset, type(error)) for record, error in work.refused] == [(2, ZeroDivisionError)]
    assert len(work.outputs) == 3


@pytest.mark.usefixtures("no_pauses")
async def test_what_is_unavailable_is_tried_again_and_never_refused() -> None:
    tries: list[int] = []

    async def handle(batch: Sequence[Record]) -> Work:
        tries.append(len(batch))
        if len(tries) < 4:
            raise UnavailableError("the store is away")
        return Work([copied(record) for record in batch])

    work = await patiently(App(), handle, records(8))
    assert (tries, len(work.outputs), work.refused) == ([8, 8, 8, 8], 8, [])


@pytest.mark.usefixtures("no_pauses")
async def test_unavailability_within_a_bisection_refuses_nobody() -> None:
    away = 2

    async def handle(batch: Sequence[Record]) -> Work:
        nonlocal away
        if len(batch) > 1:
            raise BadRecord("one of these")
        if batch[0].offset == 1 and away:
            away -= 1
            raise UnavailableError("away")
        return Work([copied(batch[0])])

    work = await patiently(App(), handle, records(4))
    assert ([output.value for output in work.outputs], work.refused) == ([b"0", b"1", b"2", b"3"], [])


async def test_an_output_too_large_for_any_broker_refuses_its_input() -> None:
    async def handle(batch: Sequence[Record]) -> Work:
        return Work(
            [Outgoing("scores", b"x" * (MAX_RECORD_BYTES * (record.offset == 1) + 1)) for record in batch]
        )

    work = await patiently(App(), handle, records(3))
    assert [(record.offset, len(work.outputs)) for record, _ in work.refused] == [(1, 2)]


async def one_refused(batch: Sequence[Record]) -> Work:
    work = Work([copied(record) for record in batch[1:]])
    work.refuse(batch[0], BadRecord("no"))
    return work


async def test_inputs_are_acknowledged_after_outputs_and_dead_letters_are() -> None:
    app = App()
    stream = Stream(app, [(0, 2), (1, 2), (2, 2)])
    await work_through(app, stream, one_refused, at_most=2, within=0.1)
    assert [output.topic for output in app.sent] == ["scores", "dead-letters", "dead-letters"]
    assert stream.acked == [(0, 2), (1, 2), (2, 3)]


@pytest.mark.usefixtures("no_pauses")
async def test_outputs_that_the_broker_refused_are_sent_again_without_handling_twice() -> None:
    app, handled = App(failures=[UnavailableError("no leader"), UnavailableError("no leader")]), 0

    async def handle(batch: Sequence[Record]) -> Work:
        nonlocal handled
        handled += 1
        return Work([copied(record) for record in batch])

    stream = Stream(app, [(0, 2)])
    await work_through(app, stream, handle, at_most=1, within=0.1)
    assert (handled, len(app.sent), stream.acked) == (1, 1, [(0, 1)])


async def test_a_missed_deadline_ends_the_worker_with_its_inputs_not_acknowledged() -> None:
    app = App(failures=[EmitTimeout("too late")])
    stream = Stream(app, [(0, 2)])
    with pytest.raises(EmitTimeout):
        await work_through(app, stream, one_refused, at_most=1, within=0.1)
    assert stream.acked == []


async def test_records_of_an_older_generation_are_forgotten_neither_handled_nor_acknowledged() -> None:
    app = App()
    stream = Stream(app, [(0, 2), (1, 2)])

    async def rebalanced() -> None:
        while stream.channel.queue.qsize():
            await asyncio.sleep(0)
        app.consumer_generation_id = 3
        stream.channel.queue.put_nowait(event(1, 3))

    seen: list[int] = []

    async def handle(batch: Sequence[Record]) -> Work:
        seen.extend(record.offset for record in batch)
        return Work()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(rebalanced())
        await work_through(app, stream, handle, at_most=3, within=5.0)
    assert (seen, [offset for offset, _ in stream.acked], app.forgotten) == ([1], [1], [0, 1])


def test_what_does_not_decode_is_refused_and_the_rest_is_kept() -> None:
    good = Label(sample_id="a", annotator="ann", label="cat").encode()
    read = [
        Record("labels", 0, 0, None, good),
        Record("labels", 0, 1, None, b"\xff"),
        Record("labels", 0, 2, None, None),
    ]
    work = Work()
    assert [(record.offset, label.label) for record, label in decoded(Label, read, work)] == [(0, "cat")]
    assert [record.offset for record, _ in work.refused] == [1, 2]
