"""What the trainer's child may take of the machine: the processor after others, memory up to a limit.

Two things hold the memory, because neither does alone. The child's own limit (RLIMIT_DATA) makes an
allocation fail that would go beyond, which torch and NumPy tell as an error; but it counts what is mapped,
not what is used, so it is set as much higher as that differs when a run begins. And the parent looks at what
is used, several times a second, and ends what is over. Without /proc (macOS) only the machine bounds it.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Final

from siftstream.schemas.errors import TrainingError

NICENESS: Final = 5
_FIRST_TO_GO: Final = 1000  # oom_score_adj: the kernel takes the child before any other
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_MIB: Final = 1 << 20


def stand_back() -> None:
    """Let others go first: on the processor, and where memory runs out; and end when the parent ends.

    The last is the kernel's doing, so it holds for a child that is stopped or stuck in C code too.
    """
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_FIRST_TO_GO))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def hold(memory: int | None, *, on_gpu: bool) -> None:
    """Let allocations of this process fail from `memory` bytes in use; none: the machine's limit holds.

    With CUDA, whose driver maps far more than it uses, only the parent's look at it holds.

    Raises:
        TrainingError: it takes more already.
    """
    used = in_use(os.getpid())
    if memory is None or used is None:
        return
    if used > memory:
        raise TrainingError(
            f"training: torch alone takes {used // _MIB} MiB, more than the {memory // _MIB} MiB that"
            " retrain.train.limits.memory allows; raise it"
        )
    if not on_gpu:
        limit = memory + max(0, _mapped() - used)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def in_use(pid: int) -> int | None:
    """Return the bytes that a process uses alone, in memory or swapped out; none: it cannot be told.

    >>> (in_use(os.getpid()) or _MIB) >= _MIB
    True
    """
    found = _status(pid, "RssAnon", "VmSwap")
    return sum(found) if found else None


def _mapped() -> int:
    """Bytes of this process that RLIMIT_DATA counts."""
    return sum(_status(os.getpid(), "VmData"))


def _status(pid: int, *names: str) -> list[int]:
    """Numbers of /proc/PID/status, in bytes; those that are not there are left out."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except OSError:
        return []
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return [int(value.split()[0]) * 1024 for name, value in pairs if name in names]


def killed_for_memory() -> int:
    """Return how many processes of this machine the kernel has killed for want of memory since it started."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
