"""The supervisor: children die, come back, are given up, and never stay behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from siftstream.cli import supervisor as module
from siftstream.cli.supervisor import Happening, Process, ProcessFailed, Supervisor, last_line, roll
from siftstream.settings import Settings
from tests.cli.deadline import eventually_in_loop

WAITS = "import sys; print('up', flush=True); sys.stdin.read()"
DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('up', flush=True); time.sleep(60)"
)
SECRET = (
    "import os, sys; print('up', os.environ['SIFTSTREAM_KAFKA__SASL_PASSWORD'], flush=True);sys.stdin.read()"
)
FAILS = "import sys; print('noise'); sys.exit('kafka.port: wrong')"


def python(name: str, code: str) -> Process:
    return Process(name, (sys.executable, "-c", code))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state=tmp_path / "state")


@pytest.fixture
def events() -> list[Happening]:
    return []


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.1)


async def up(supervisor: Supervisor, name: str, after: int | None = None) -> int:
    """Wait until the child's first word is in its log; return its process id."""

    def look() -> int | None:
        status = next(s for s in supervisor.status() if s.name == name)
        said = status.log.exists() and "up" in status.log.read_text()
        return status.pid if said and status.pid != after else None

    return await eventually_in_loop(look, 20, f"{name} is up") or 0


async def test_a_killed_child_comes_back_and_the_reason_is_told(
    settings: Settings, events: list[Happening], hasty: None
) -> None:
    async with Supervisor(settings, [python("a", WAITS), python("b", WAITS)], events.append) as supervisor:
        first, other = await up(supervisor, "a"), await up(supervisor, "b")
        os.kill(first, signal.SIGKILL)
        second = await up(supervisor, "a", after=first)
        assert second != first
        assert [s.restarts for s in supervisor.status()] == [1, 0]
        assert supervisor.status()[1].pid == other
    ended = next(event for event in events if event.kind == "ended")
    assert (ended.name, ended.words) == ("a", "ended by SIGKILL: up; starts again in 0.05 s")
    assert not any(psutil.pid_exists(pid) for pid in (first, second, other))


async def test_a_child_that_fails_at_once_is_given_up_with_its_last_words(
    settings: Settings, events: list[Happening], hasty: None
) -> None:
    async with Supervisor(settings, [python("a", WAITS), python("bad", FAILS)], events.append) as supervisor:
        with pytest.raises(
            ProcessFailed, match=r"bad ended 5 times within a minute, ended with exit code 1: kafka\.port"
        ):
            await asyncio.wait_for(supervisor.failed(), 30)
    assert [event.kind for event in events if event.name == "bad"] == ["started", "ended"] * 4 + [
        "started",
        "failed",
    ]


async def test_a_program_that_is_not_there_is_told(settings: Settings) -> None:
    async with Supervisor(settings, [Process("a", ("/no/such/program",))]) as supervisor:
        with pytest.raises(ProcessFailed, match=r"a cannot be started: .*No such file"):
            await asyncio.wait_for(supervisor.failed(), 5)


async def test_a_child_that_does_not_listen_is_killed(settings: Settings, events: list[Happening]) -> None:
    async with Supervisor(settings, [python("deaf", DEAF)], events.append) as supervisor:
        pid = await up(supervisor, "deaf")
        began = time.monotonic()
        await supervisor.stop(within=0.3)
    assert time.monotonic() - began < 3
    assert events[-1].kind == "killed"
    assert not psutil.pid_exists(pid)


async def test_pauses_grow_up_to_the_longest(
    settings: Settings, events: list[Happening], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.03)
    async with Supervisor(settings, [python("a", "import sys; sys.exit(0)")], events.append):

        def ended() -> list[Happening]:
            return [event for event in events if event.kind == "ended"]

        await eventually_in_loop(lambda: len(ended()) >= 4, 20, "four ends")
    pauses = [event.words.rsplit(" ", 2)[1] for event in ended()[:4]]
    assert pauses == ["0.01", "0.02", "0.03", "0.03"]


async def test_children_get_the_configuration_by_a_file_and_the_password_by_the_environment(
    tmp_path: Path,
) -> None:
    settings = Settings.model_validate(
        {"state": tmp_path / "state", "classes": ["a", "b"], "kafka": {"sasl_password": "open sesame"}}
    )
    async with Supervisor(settings, [python("a", SECRET)]) as supervisor:
        await up(supervisor, "a")
        assert supervisor.status()[0].log.read_text() == "up open sesame\n"
    text = (tmp_path / "state" / "effective.yaml").read_text()
    assert "sesame" not in text
    assert yaml.safe_load(text)["classes"] == ["a", "b"]


def test_a_grown_log_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOG_LIMIT", 10)
    log = tmp_path / "a.log"
    assert roll(log) == 0
    log.write_text("short")
    assert roll(log) == 5
    log.write_text("longer than ten")
    assert roll(log) == 0
    assert (tmp_path / "a.log.1").read_text() == "longer than ten"


def test_the_last_line_is_of_this_life(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("old\nnew\n\n")
    assert last_line(log, 4) == "new"
    assert last_line(log, 9) == ""
