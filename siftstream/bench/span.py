"""A stage's own rate: between a tenth and nine tenths of its samples, where neither start nor end counts."""

from collections.abc import Sequence
from typing import Protocol

SHORTEST_S = 0.1  # records are timed in milliseconds, and come in bunches


class Made(Protocol):
    """Samples, and when they were made."""

    @property
    def at(self) -> float:
        """Unix seconds."""
        ...

    @property
    def ids(self) -> Sequence[str]:
        """Their ids."""
        ...


def rate_within(rows: Sequence[Made], low: float = 0.1, high: float = 0.9) -> float | None:
    """Return samples a second between two shares of all samples; none where that is under 0.1 s.

    Args:
        rows: Oldest first.
        low: Where the span begins.
        high: Where it ends.
    """
    total = sum(len(row.ids) for row in rows)
    seen, start, end = 0, None, None
    for row in rows:
        seen += len(row.ids)
        if start is None and seen >= low * total:
            start = seen, row.at
        if seen >= high * total:
            end = seen, row.at
            break
    if start is None or end is None or end[1] - start[1] < SHORTEST_S:
        return None
    return (end[0] - start[0]) / (end[1] - start[1])
