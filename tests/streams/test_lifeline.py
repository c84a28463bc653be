"""A child ends when its parent does."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

CHILD = """
import signal, sys
from siftstream.streams.lifeline import end_with_parent
end_with_parent(*[int(n) for n in sys.argv[1:]])
print("ready", flush=True)
signal.pause()
"""


@contextmanager
def child(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A child on its lifeline."""
    command = [sys.executable, "-c", CHILD, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == b"ready\n"
            yield running
        finally:
            running.kill()


def test_a_child_ends_when_the_pipe_closes() -> None:
    with child() as running:
        assert running.stdin is not None
        running.stdin.close()
        assert running.wait(10) == -signal.SIGTERM


def test_it_ends_by_the_signal_that_was_asked_for() -> None:
    with child(str(int(signal.SIGINT))) as running:
        assert running.stdin is not None
        running.stdin.close()
        assert running.wait(10) != 0


def test_what_is_written_to_the_pipe_does_not_end_it() -> None:
    with child() as running:
        assert running.stdin is not None
        running.stdin.write(b"x" * 2000)
        running.stdin.flush()
        os.kill(running.pid, 0)
        assert running.poll() is None


def test_a_child_ends_when_its_parent_is_killed() -> None:
    parent = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", parent]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        orphan = int(running.stdout.readline())
        opened = os.pidfd_open(orphan)
        try:
            running.kill()
            assert select.select([opened], [], [], 10)[0], "the child outlived its parent"
        finally:
            os.close(opened)
