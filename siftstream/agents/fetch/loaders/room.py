"""The memory that a worker's loads may hold together, from their first byte to the end of their transform."""

import asyncio
from collections import deque
from types import TracebackType
from typing import Self


class Room:
    """Counts bytes held; a ticket that wants more waits until others are done.

    The oldest ticket that holds bytes never waits, so loads that wait for each other cannot stand still;
    the most that is held is therefore the limit and one whole object.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._holders: dict[Ticket, int] = {}  # in the order of their first byte
        self._waiting: deque[tuple[Ticket, int, asyncio.Future[None]]] = deque()

    def ticket(self, known: str = "") -> "Ticket":
        """Return the ticket of one load; `known` is what a loader hears of the cached copy."""
        return Ticket(self, known)

    def grant(self, ticket: "Ticket", size: int) -> bool:
        """Give the bytes if there is room."""
        oldest = next(iter(self._holders), ticket)
        if self.used + size > self.limit and ticket is not oldest:
            return False
        self.used += size
        self._holders[ticket] = self._holders.get(ticket, 0) + size
        return True

    async def wait(self, ticket: "Ticket", size: int) -> None:
        """Wait for the bytes."""
        granted = asyncio.get_running_loop().create_future()
        entry = (ticket, size, granted)
        self._waiting.append(entry)
        try:
            await granted
        except asyncio.CancelledError:
            if entry in self._waiting:
                self._waiting.remove(entry)
            raise

    def release(self, ticket: "Ticket") -> None:
        """Take back what the ticket holds, and let in who waits, first come first."""
        self.used -= self._holders.pop(ticket, 0)
        for entry in list(self._waiting):
            waiter, size, granted = entry
            if not granted.done() and self.grant(waiter, size):
                self._waiting.remove(entry)
                granted.set_result(None)


class Ticket:
    """One load's share of the room; a context manager that gives it back."""

    def __init__(self, room: Room, known: str) -> None:
        self.known = known
        self.deadline: asyncio.Timeout | None = None  # of the load; it stands still while memory is awaited
        self._room = room

    async def room_for(self, size: int) -> None:
        """Wait until `size` more bytes may be held."""
        if self._room.grant(self, size):
            return
        deadline, clock = self.deadline, asyncio.get_running_loop().time
        end, began = deadline.when() if deadline else None, clock()
        if deadline is not None:
            deadline.reschedule(None)
        await self._room.wait(self, size)
        if deadline is not None and end is not None:
            deadline.reschedule(end + clock() - began)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._room.release(self)
