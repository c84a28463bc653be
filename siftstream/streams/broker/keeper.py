"""The process between us and the JVM: it makes sure that the JVM goes when we go, however we go.

Standard library only, and started by its path, so that it costs 12 MB and little time. Called as
`keeper.py PARENT_PID BOUND_SECONDS REMOVE -- COMMAND...`: runs COMMAND, prints `pid N` (or `error WORDS`),
and then waits for what comes first:

- the command ends by itself: the keeper leaves with its exit status;
- its stdin says `s`: SIGTERM, and SIGKILL after the bound; or `k`: SIGKILL at once;
- its stdin ends or its parent changes (a forked sibling may hold the pipe open): the parent is gone, as `s`,
  and the folder REMOVE goes too (`-` for none).

Where the keeper itself is killed, Linux kills the JVM (PR_SET_PDEATHSIG).
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
from types import FrameType

PR_SET_PDEATHSIG = 1
LOOK_EVERY_S = 0.1


class Told(BaseException):
    """A signal told the keeper to stop."""


def die_with_keeper(keeper: int) -> None:
    """In the new child: have Linux kill this process when the keeper ends (also if it just did)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(1)


def stop(child: subprocess.Popen[bytes], bound_s: float) -> None:
    """End the child in order, or after the bound without."""
    child.terminate()
    try:
        child.wait(bound_s)
    except subprocess.TimeoutExpired:
        child.kill()


def watch(child: subprocess.Popen[bytes], parent: int) -> str:
    """Return what ended the watch: `ended`, `stop`, `kill` or `orphan`."""
    while child.poll() is None:
        ready, _, _ = select.select([0], [], [], LOOK_EVERY_S)
        if ready:
            return {b"s": "stop", b"k": "kill"}.get(os.read(0, 1), "orphan")
        if os.getppid() != parent:
            return "orphan"
    return "ended"


def say(words: str) -> None:
    """Tell the parent something."""
    os.write(1, f"{words}\n".encode())


def told(number: int, frame: FrameType | None) -> None:
    """Signal handler: leave the watch."""
    raise Told


def main(arguments: list[str]) -> int:
    """Run the command and keep it; see the module's first lines."""
    parent, bound_s, remove, command = int(arguments[0]), float(arguments[1]), arguments[2], arguments[4:]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, told)
    keeper = os.getpid()
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=2,
            close_fds=False,  # a lock that we were given is the child's, too
            preexec_fn=lambda: die_with_keeper(keeper),
        )
    except (OSError, subprocess.SubprocessError) as error:
        say(f"error {error}")
        return 1
    try:
        say(f"pid {child.pid}")
        why = watch(child, parent)
    except Told:
        why = "stop"
    except BrokenPipeError:
        why = "orphan"
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if why == "kill":
        child.kill()
    elif why != "ended":
        stop(child, bound_s)
    status = child.wait()
    if why == "orphan" and remove != "-":
        shutil.rmtree(remove, ignore_errors=True)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
