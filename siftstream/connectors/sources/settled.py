"""Settled: a file is whole when its size and time of change have stood still for a while."""

import os
import stat
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

OLD_S: Final = 60.0
"""A file last changed this long ago is whole; less would trust the clock of a file server too much."""


class State(NamedTuple):
    """What must stand still: size in bytes, time of change in nanoseconds since the epoch."""

    size: int
    changed: int

    @property
    def version(self) -> str:
        """A name for this content of a file."""
        return f"{self.changed:x}-{self.size:x}"


def state_of(path: str) -> State | None:
    """Return the state of a regular file; none where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return State(found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


class Settling:
    """Files that were seen, until they have stood still for `settle` seconds.

    >>> states = {"a": State(1, 0)}
    >>> settling = Settling(2.0, states.get)
    >>> settling.see("a", State(1, 0), now=10.0)
    >>> states["a"] = State(2, 0)  # somebody writes on
    >>> list(settling.settled(now=12.0)), list(settling.settled(now=13.9)), list(settling.settled(now=14.0))
    ([], [], [('a', State(size=2, changed=0))])
    """

    def __init__(self, settle: float, look: Callable[[str], State | None] = state_of) -> None:
        """Args: how long, in seconds; how the state of a file is found."""
        self._settle, self._look = settle, look
        # each one waits equally long, so the oldest is always due first
        self._waiting: dict[str, tuple[float, State]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def see(self, path: str, state: State, now: float) -> None:
        """Begin to wait for a file; `now` in monotonic seconds."""
        if path not in self._waiting:
            self._waiting[path] = (now + self._settle, state)

    def settled(self, now: float) -> Iterator[tuple[str, State]]:
        """Yield what has stood still; what has not waits again, what is gone is forgotten."""
        while self._waiting:
            path, (due, before) = next(iter(self._waiting.items()))
            if due > now:
                return
            del self._waiting[path]
            state = self._look(path)
            if state is None:
                continue
            if state == before:
                yield path, state
            else:
                self._waiting[path] = (now + self._settle, state)
