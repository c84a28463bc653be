"""One broker a folder, by a lock of ours.

Kafka's own comes too late: a second broker appends to the first one's metadata before it meets that lock.
"""

import contextlib
import fcntl
import time
from collections.abc import Callable, Generator
from pathlib import Path

from siftstream.schemas.errors import BrokerError

WAIT_S = 9.0
"""Longer than a broker takes to end whose parent was killed a moment ago."""
LOOK_EVERY_S = 0.05


@contextlib.contextmanager
def owned(folder: Path, tell: Callable[[str], None]) -> Generator[int]:
    """Hold `folder` and yield the lock's file descriptor: a process that inherits it holds the folder on.

    Waits for a broker that is just ending; BrokerError if it does not.
    """
    with (folder / "lock").open("w") as handle:
        deadline = time.monotonic() + WAIT_S
        told = False
        while not take(handle.fileno()):
            if time.monotonic() > deadline:
                raise BrokerError(f"Another broker runs on {folder}: stop it or choose another --data.")
            if not told:
                tell(f"Waiting for a former broker on {folder} to end")
                told = True
            time.sleep(LOOK_EVERY_S)
        yield handle.fileno()


def take(descriptor: int) -> bool:
    """Take the lock if nobody has it, and say whether we have it now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
