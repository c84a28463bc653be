"""A worker that stands still while records wait ends itself; an idle one lives on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from siftstream.schemas.errors import UnavailableError
from siftstream.streams import liveness
from siftstream.streams.liveness import watch
from tests.streams.faust_parts import FLOOR, PLAIN, delivered


class Clock:
    """Time that passes only while the watcher sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class App:
    """A worker whose consumer follows a script, one step a look."""

    clock: Clock
    script: Callable[[float], tuple[int, bool]]  # time -> progress, records wait
    stage: str = "infer"
    should_stop: bool = False
    crashed: list[BaseException] = field(default_factory=list[BaseException])

    @property
    def consumer(self) -> Any:
        progress, waiting = self.script(self.clock.now)
        return SimpleNamespace(progress=progress, records_wait=lambda: waiting)

    async def sleep(self, seconds: float) -> None:
        self.clock.now += seconds
        self.should_stop = self.clock.now >= 1000
        await asyncio.sleep(0)

    async def crash(self, error: BaseException) -> None:
        self.crashed.append(error)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(liveness, "monotonic", made)
    return made


async def test_no_progress_while_records_wait_ends_the_worker_after_the_limit(clock: Clock) -> None:
    app = App(clock, lambda now: (int(min(now, 60)), True))
    await watch(app, 300)()
    assert 360 <= clock.now <= 375
    assert [str(error) for error in app.crashed] == ["infer has made no progress for 300 s"]
    assert isinstance(app.crashed[0], UnavailableError)


async def test_an_idle_worker_lives_on(clock: Clock) -> None:
    app = App(clock, lambda _: (7, False))
    await watch(app, 300)()
    assert (app.crashed, clock.now) == ([], 1000)


async def test_a_slow_worker_lives_on(clock: Clock) -> None:
    app = App(clock, lambda now: (int(now // 290), True))
    await watch(app, 300)()
    assert app.crashed == []


async def test_a_worker_that_was_idle_has_the_whole_limit_again(clock: Clock) -> None:
    app = App(clock, lambda now: (0, now > 700))
    await watch(app, 300)()
    assert app.crashed == []


# -- what counts as waiting


@pytest.fixture
def log(safe: Any) -> Any:
    """Let the consumer's fetcher be behind where the test says so."""
    behind: set[Any] = set()
    safe._thread.behind = behind.__contains__
    return behind


async def test_a_partition_read_and_done_to_its_end_waits_for_nothing(safe: Any, log: set[Any]) -> None:
    del log
    for message in delivered(safe, range(10)):
        message.ack(safe)
    assert not safe.records_wait()


async def test_records_that_were_not_fetched_wait(safe: Any, log: set[Any]) -> None:
    log.add(FLOOR)
    assert safe.records_wait()


async def test_a_message_in_work_waits(safe: Any, log: set[Any]) -> None:
    del log
    messages = delivered(safe, [1], FLOOR)
    assert safe.records_wait()
    messages[0].ack(safe)
    assert not safe.records_wait()


async def test_a_message_that_no_stream_took_yet_waits(safe: Any, log: set[Any]) -> None:
    del log
    delivered(safe, [1], PLAIN, tracked=False)
    assert safe.records_wait()


async def test_parts_of_a_message_that_takes_long_are_progress(safe: Any, log: set[Any]) -> None:
    del log
    (message,) = delivered(safe, [1])
    before = safe.progress
    safe.note_progress()
    assert safe.progress == before + 1
    assert safe.records_wait()
    message.ack(safe)
    assert safe.progress == before + 2
