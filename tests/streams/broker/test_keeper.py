"""However we end, what we started ends too: shown on shell scripts in the JVM's place."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from siftstream.schemas.errors import BrokerError
from siftstream.streams.broker.child import Child
from tests.streams.broker.deadline import gone, until

ENDURES = "echo up; while :; do sleep 0.05; done"
DEAF = f"trap '' TERM; {ENDURES}"
POLITE = f"trap 'echo in order; exit 0' TERM; {ENDURES}"


def run(path: Path, folder: Path, bound_s: float = 5) -> Child:
    child = Child([str(path)], folder, folder / "log", bound_s=bound_s)
    assert until(lambda: "up" in (folder / "log").read_text())
    return child


def test_stop_ends_it_in_order(script: Callable[..., Path], tmp_path: Path) -> None:
    child = run(script("jvm", POLITE), tmp_path)
    child.stop()
    assert gone(child.pid)
    assert child.status == 0
    assert "in order" in (tmp_path / "log").read_text()


def test_what_does_not_heed_sigterm_is_killed_after_the_bound(
    script: Callable[..., Path], tmp_path: Path
) -> None:
    child = run(script("jvm", DEAF), tmp_path, bound_s=0.2)
    child.stop()
    assert gone(child.pid)
    assert child.status == 128 + signal.SIGKILL


def test_kill_is_a_crash(script: Callable[..., Path], tmp_path: Path) -> None:
    child = run(script("jvm", POLITE), tmp_path)
    child.kill()
    assert gone(child.pid)
    assert "in order" not in (tmp_path / "log").read_text()


def test_stopping_twice_is_no_error(script: Callable[..., Path], tmp_path: Path) -> None:
    child = run(script("jvm", POLITE), tmp_path)
    child.stop()
    child.stop()
    child.kill()


def test_an_end_by_itself_is_seen(script: Callable[..., Path], tmp_path: Path) -> None:
    child = Child([str(script("jvm", "exit 7"))], tmp_path, tmp_path / "log", bound_s=5)
    assert child.ended(within_s=10)
    assert child.status == 7
    child.stop()


def test_a_program_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"/no/java could not be run .*No such file"):
        Child(["/no/java"], tmp_path, tmp_path / "log", bound_s=5)


def test_it_runs_in_a_session_of_its_own(script: Callable[..., Path], tmp_path: Path) -> None:
    child = run(script("jvm", POLITE), tmp_path)
    try:
        assert os.getsid(child.pid) != os.getsid(0)
    finally:
        child.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_killed_keeper_leaves_nothing(script: Callable[..., Path], tmp_path: Path) -> None:
    child = run(script("jvm", DEAF), tmp_path)
    os.kill(child.keeper_pid, signal.SIGKILL)
    assert until(lambda: gone(child.pid))
    child.stop()


def test_a_keeper_that_is_told_to_end_takes_it_along(script: Callable[..., Path], tmp_path: Path) -> None:
    child = run(script("jvm", POLITE), tmp_path)
    os.kill(child.keeper_pid, signal.SIGTERM)
    assert until(lambda: gone(child.pid))
    assert "in order" in (tmp_path / "log").read_text()
    child.stop()


PARENT = """
    import signal, subprocess, sys, time
    for number in (signal.SIGHUP, signal.SIGINT):  # a run under nohup hands down ignored signals
        signal.signal(number, signal.SIG_DFL)
    from pathlib import Path
    from siftstream.streams.broker.child import Child
    folder = Path(sys.argv[1])
    (folder / "temporary").mkdir()
    child = Child([sys.argv[2]], folder, folder / "log", bound_s=5, remove=folder / "temporary")
    {more}
    print(child.pid, flush=True)
    time.sleep(600)
"""
FORKS = """
    import os
    if os.fork() == 0:
        (folder / "sibling").write_text(str(os.getpid()))
        time.sleep(600)
"""


def start_parent(path: Path, folder: Path, more: str = "") -> tuple[subprocess.Popen[str], int]:
    code = textwrap.dedent(PARENT).format(more=textwrap.dedent(more))
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.stdout.close()
    assert until(lambda: "up" in (folder / "log").read_text())
    return parent, pid


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_parent_that_dies_in_any_way_leaves_nothing(
    how: signal.Signals, script: Callable[..., Path], tmp_path: Path
) -> None:
    parent, pid = start_parent(script("jvm", POLITE), tmp_path)
    parent.send_signal(how)
    parent.wait(10)
    assert until(lambda: gone(pid))
    assert until(lambda: not (tmp_path / "temporary").exists())
    assert "in order" in (tmp_path / "log").read_text()


def test_a_forked_sibling_that_holds_the_pipe_keeps_nothing_alive(
    script: Callable[..., Path], tmp_path: Path
) -> None:
    parent, pid = start_parent(script("jvm", POLITE), tmp_path, FORKS)
    assert until(lambda: (tmp_path / "sibling").exists() and (tmp_path / "sibling").read_text() != "")
    parent.kill()
    parent.wait(10)
    try:
        assert until(lambda: gone(pid))
    finally:
        os.kill(int((tmp_path / "sibling").read_text()), signal.SIGKILL)
