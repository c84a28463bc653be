"""The floor: the first record from which a window can be rebuilt, and what no later record tells."""

from dataclasses import dataclass
from math import inf

from siftstream.agents.select.window.fifo import Fifo


@dataclass(frozen=True)
class Floor:
    """What a commit keeps of a window: `offset` is of the first record that is read again.

    `seen` and `watermark` are what the partition had before it: distinct samples, and the newest event time.
    `source` is the smallest offset in `features` that this record or a later one came from; -1 if none says.
    """

    offset: int = 0
    seen: int = 0
    watermark: float = -inf
    source: int = -1


class Records:
    """The records that a window may have to read again, and where it must not begin to.

    A repeat that fell away because its first was in the window must fall away in the rebuilt window too. So
    one that begins after the first must begin after the repeat: each such pair is a span of offsets without a
    beginning. Spans that meet are joined as they come, which makes the floor a look at the oldest of them.

    >>> records = Records()
    >>> for offset in range(5):
    ...     records.note(offset, seen=10 * offset, watermark=float(offset), source=100 + offset)
    >>> records.repeat(3, first=1)
    >>> records.floor(2)
    Floor(offset=1, seen=10, watermark=1.0, source=101)
    >>> records.floor(4)
    Floor(offset=4, seen=40, watermark=4.0, source=104)
    """

    def __init__(self) -> None:
        self._records = Fifo("qqd")  # offset, seen and watermark before it
        self._spans = Fifo("qq")  # a floor in (first, last] moves to first
        self._sources = Fifo("qq")  # offset, source: only those with no smaller source after them

    def note(self, offset: int, *, seen: int, watermark: float, source: int) -> None:
        """Learn of a record before its samples are added; offsets ascend."""
        self._records.push(offset, seen, watermark)
        if source >= 0:
            while len(self._sources) and self._sources[-1][1] >= source:
                self._sources.drop_last()
            self._sources.push(offset, source)

    def repeat(self, offset: int, first: int) -> None:
        """Learn that a sample of a record fell away because it had come in an earlier one."""
        if first >= offset:
            return
        spans = self._spans
        while len(spans) and spans[-1][1] >= first:
            first = min(first, spans[-1][0])
            spans.drop_last()
        spans.push(first, offset)

    def floor(self, lowest: int) -> Floor:
        """Return the floor of a window whose oldest row came in record `lowest`; it never goes back."""
        spans, records, sources = self._spans, self._records, self._sources
        while len(spans) and spans[0][1] < lowest:
            spans.drop_first()
        if len(spans) and spans[0][0] < lowest:
            lowest = spans[0][0]
        while records[0][0] < lowest:
            records.drop_first()
        while len(sources) and sources[0][0] < lowest:
            sources.drop_first()
        return Floor(*records[0], source=sources[0][1] if len(sources) else -1)

    def clear(self) -> None:
        """Forget all records: an empty window needs none."""
        for rows in (self._records, self._spans, self._sources):
            rows.clear()
