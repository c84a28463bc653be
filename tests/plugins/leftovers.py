"""Fails every test that leaves asyncio tasks, threads, processes, environment or working directory behind.

A test that must leave something says so: `@pytest.mark.leaves("threads")`. What a session fixture starts for
the whole run is started inside `kept()`.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

GRACE_S = 2.0
"""What ends by itself within this time is no leftover: joins and exits take a moment."""

ENVIRONMENT_OF_LIBRARIES = {
    "PYTEST_CURRENT_TEST",
    "KMP_DUPLICATE_LIB_OK",  # threadpoolctl, when scikit-learn is first imported
    "KMP_INIT_AT_FORK",
    "TOKENIZERS_PARALLELISM",  # the text transform: its own threads are enough
    "TORCHINDUCTOR_CACHE_DIR",  # torch, when its compiler is first imported
}
KEPT_COMMANDS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")  # live as long as Python
Thing = TypeVar("Thing")

_kept_processes: set[int] = set()
_kept_threads: set[threading.Thread] = set()


@contextmanager
def kept() -> Iterator[None]:
    """What starts inside stays for the whole run: session fixtures wrap their start in this."""
    processes, threads = set(_processes()), _threads()
    yield
    _kept_processes.update(set(_processes()) - processes)
    _kept_threads.update(_threads() - threads)


def _processes() -> dict[int, str]:
    """Return the running descendants of this process by id, with their command lines."""
    found: dict[int, str] = {}
    for child in psutil.Process().children(recursive=True):
        try:
            if child.status() == psutil.STATUS_ZOMBIE:
                continue
            command = " ".join(child.cmdline())
        except psutil.NoSuchProcess:
            continue
        if not any(part in command for part in KEPT_COMMANDS):
            found[child.pid] = command[:200]
    return found


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if not thread.daemon}


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ENVIRONMENT_OF_LIBRARIES}


def _after_grace(look: Callable[[], Thing]) -> Thing:
    """Look until nothing is left or the grace is over; return what was seen last."""
    end = time.monotonic() + GRACE_S
    while (left := look()) and time.monotonic() < end:
        time.sleep(0.02)
    return left


def _may_leave(request: pytest.FixtureRequest) -> set[str]:
    return {what for mark in request.node.iter_markers("leaves") for what in mark.args}


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Compare threads, processes, environment and working directory before and after a test."""
    processes, threads = set(_processes()), _threads()
    environment, folder = _environment(), Path.cwd()
    yield
    may_leave, complaints = _may_leave(request), []

    if "processes" not in may_leave:
        left = _after_grace(
            lambda: {p: c for p, c in _processes().items() if p not in processes | _kept_processes}
        )
        complaints += [f"process {pid}: {command}" for pid, command in left.items()]
        for pid in left:  # the next test is not to blame
            with suppress(psutil.NoSuchProcess):
                psutil.Process(pid).kill()
    if "threads" not in may_leave:
        complaints += [
            f"thread {thread.name}" for thread in _after_grace(lambda: _threads() - threads - _kept_threads)
        ]
    if "environment" not in may_leave:
        now = _environment()
        changed = sorted(
            name for name in environment.keys() | now.keys() if environment.get(name) != now.get(name)
        )
        complaints += [f"environment variable {name}" for name in changed]
        for name in changed:  # the next test is not to blame
            if name in environment:
                os.environ[name] = environment[name]
            else:
                del os.environ[name]
        if Path.cwd() != folder:
            os.chdir(folder)
            complaints.append("another working directory")
    if complaints:
        pytest.fail("the test left behind: " + "; ".join(complaints), pytrace=False)


@pytest.fixture(autouse=True)
def no_task_left(request: pytest.FixtureRequest, nothing_left: None) -> None:
    """Have asynchronous tests checked for asyncio tasks too, before their loop closes."""
    if request.node.get_closest_marker("asyncio"):
        request.getfixturevalue("tasks_end")


@pytest.fixture
async def tasks_end(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Compare the loop's tasks before and after a test."""
    before = asyncio.all_tasks()
    yield
    end = time.monotonic() + GRACE_S
    while (left := asyncio.all_tasks() - before - {asyncio.current_task()}) and time.monotonic() < end:
        await asyncio.sleep(0.02)
    if left and "tasks" not in _may_leave(request):
        names = "; ".join(sorted(f"task {task.get_name()} of {task.get_coro()!r}" for task in left))
        pytest.fail(f"the test left behind: {names}", pytrace=False)
