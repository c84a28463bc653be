"""A worker process without its stage: what a crash and a signal end in."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from typing import Any

import mode
import pytest

from siftstream import app as wiring
from siftstream.cli.logs import OneLine, no_housekeeping
from siftstream.cli.worker import run
from siftstream.settings import Settings


class Stage(mode.Service):
    """Stands in for a stage's app."""

    stopped_in_order = False

    async def on_stop(self) -> None:
        self.stopped_in_order = True


class Crashing(Stage):
    """Ends as an app does whose agent raised."""

    async def on_started(self) -> None:
        self.add_future(self.break_down())

    async def break_down(self) -> None:
        await asyncio.sleep(0)
        await self.crash(ValueError("boom"))


class NotStarting(Stage):
    """Finds no cluster."""

    async def on_start(self) -> None:
        raise ConnectionError("no cluster")


async def result_of(stage: Any, monkeypatch: pytest.MonkeyPatch) -> BaseException | None:
    monkeypatch.setattr(wiring, "build", lambda *_, **__: stage)
    return await asyncio.wait_for(run("fetch", Settings(), None), 10)


async def test_a_crash_ends_the_worker_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Crashing()
    assert repr(await result_of(stage, monkeypatch)) == "ValueError('boom')"
    assert stage.stopped_in_order


async def test_a_worker_that_cannot_start_ends_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    assert repr(await result_of(NotStarting(), monkeypatch)) == "ConnectionError('no cluster')"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it_in_order(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), number)
    assert await result_of(stage, monkeypatch) is None
    assert stage.stopped_in_order


def record(message: str, level: int = logging.INFO, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("siftstream", level, "x.py", 1, message, None, info)


def test_a_log_record_is_one_line_with_the_place_of_its_error() -> None:
    try:
        int("x")
    except ValueError as error:
        line = OneLine("infer-0").format(record("two\nlines", logging.ERROR, error))
    assert (
        "infer-0 ERROR two lines (ValueError: invalid literal for int() with base 10: 'x' at test_worker"
        in line
    )
    assert "\n" not in line


def test_what_fausts_services_say_of_themselves_is_left_out() -> None:
    assert not no_housekeeping(record("[^StageApp]: Starting..."))
    assert no_housekeeping(record("[^StageApp]: Crashed", logging.ERROR))
    assert no_housekeeping(record("infer runs model v2"))
