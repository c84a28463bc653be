"""How far one partition may be committed: the end of the unbroken run of acknowledged messages."""

from collections import deque


class Ledger:
    """Offsets that were handed out, and the offset up to which all of them are done.

    Holes in the log (compaction, control records) are never delivered, so they never block.

    >>> ledger = Ledger()
    >>> for offset in (3, 7, 8, 20):
    ...     ledger.deliver(offset)
    >>> ledger.ack(7); ledger.position is None
    True
    >>> ledger.ack(3); ledger.position
    8
    """

    __slots__ = ("_done", "_out", "position")

    def __init__(self) -> None:
        self._out: deque[int] = deque()
        self._done: set[int] = set()
        self.position: int | None = None

    @property
    def settled(self) -> bool:
        """Whether all that was handed out is done."""
        return not self._out

    def deliver(self, offset: int) -> None:
        """Note that a message was handed to the stream."""
        self._out.append(offset)

    def ack(self, offset: int) -> None:
        """Note that a message is done; what lies before the unbroken run's end is so already."""
        if self._out and offset >= self._out[0]:
            self._done.add(offset)
        while self._out and self._out[0] in self._done:
            first = self._out.popleft()
            self._done.discard(first)
            self.position = first + 1


class Floor:
    """The first offset that a window still needs, with the metadata committed beside it."""

    __slots__ = ("metadata", "position")

    def __init__(self) -> None:
        self.position: int | None = None
        self.metadata = ""

    def advance(self, offset: int, metadata: str) -> None:
        """Move forward; a floor never falls."""
        if self.position is None or offset >= self.position:
            self.position, self.metadata = offset, metadata
