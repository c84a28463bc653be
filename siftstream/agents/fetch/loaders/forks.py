"""Keeps what may not be copied half done still while this process forks."""

import os
from typing import Final, Protocol
from weakref import WeakSet


class Held(Protocol):
    """Something with a lock, and with things open that a child must not use."""

    def hold(self) -> None:
        """Wait until nothing is under way, and let nothing begin."""
        ...

    def go_on(self, *, child: bool) -> None:
        """Go on after the fork; a child begins afresh."""
        ...


class Forks:
    """Holds everything added at each fork of this process."""

    def __init__(self) -> None:
        self._all: WeakSet[Held] = WeakSet()
        self._held: list[Held] = []
        os.register_at_fork(
            before=self._hold,
            after_in_parent=lambda: self._go_on(child=False),
            after_in_child=lambda: self._go_on(child=True),
        )

    def add(self, thing: Held) -> None:
        """Hold this one too, as long as it lives."""
        self._all.add(thing)

    def _hold(self) -> None:
        self._held = list(self._all)
        for thing in self._held:
            thing.hold()

    def _go_on(self, *, child: bool) -> None:
        held, self._held = self._held, []
        for thing in held:
            thing.go_on(child=child)


FORKS: Final = Forks()
