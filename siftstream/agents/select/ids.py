"""A set of sample ids that only grows, in about eight bytes an id."""

from array import array
from bisect import bisect_left
from typing import Final

import numpy as np

RECENT: Final = 1024  # ids beside the sorted ones, at least


class Ids:
    """Holds ids by their 64-bit hashes: sorted ones, and a small set of recent ones.

    A million names as a Python set take a hundred megabytes. Two names of one hash are taken for one, which
    among ten million happens once in some 300,000 processes.

    >>> ids = Ids()
    >>> for number in range(5000):
    ...     ids.add(f"sample-{number % 3000}")
    >>> len(ids), "sample-2999" in ids, "sample-3000" in ids
    (3000, True, False)
    """

    def __init__(self) -> None:
        self._sorted = array("q")
        self._recent: set[int] = set()

    def __len__(self) -> int:
        return len(self._sorted) + len(self._recent)

    def __contains__(self, name: object) -> bool:
        key = hash(name)
        if key in self._recent:
            return True
        place = bisect_left(self._sorted, key)
        return place < len(self._sorted) and self._sorted[place] == key

    def add(self, name: str) -> None:
        """Note an id."""
        if name in self:
            return
        self._recent.add(hash(name))
        if len(self._recent) > max(RECENT, len(self._sorted) // 8):
            self._merge()

    def _merge(self) -> None:
        together = np.concatenate(
            [np.frombuffer(self._sorted, np.int64), np.fromiter(self._recent, np.int64, len(self._recent))]
        )
        together.sort(kind="stable")  # the first part is in order already
        self._sorted = array("q", together.tobytes())
        self._recent.clear()
