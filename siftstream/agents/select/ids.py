"""A set of sample ids that mostly grows, in about eight bytes an id."""

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
    >>> ids.discard("sample-7")
    >>> len(ids), "sample-7" in ids
    (2999, False)
    """

    def __init__(self) -> None:
        self._sorted = array("q")
        self._recent: set[int] = set()
        self._gone: set[int] = set()  # of the sorted ones

    def __len__(self) -> int:
        return len(self._sorted) + len(self._recent) - len(self._gone)

    def __contains__(self, name: object) -> bool:
        key = hash(name)
        return key in self._recent or (self._is_sorted(key) and key not in self._gone)

    def add(self, name: str) -> None:
        """Note an id."""
        key = hash(name)
        if self._is_sorted(key):
            self._gone.discard(key)
            return
        self._recent.add(key)
        self._merge_if_many()

    def discard(self, name: str) -> None:
        """Forget an id, if it is there."""
        key = hash(name)
        if key in self._recent:
            self._recent.discard(key)
        elif self._is_sorted(key):
            self._gone.add(key)
            self._merge_if_many()

    def _is_sorted(self, key: int) -> bool:
        place = bisect_left(self._sorted, key)
        return place < len(self._sorted) and self._sorted[place] == key

    def _merge_if_many(self) -> None:
        if len(self._recent) + len(self._gone) <= max(RECENT, len(self._sorted) // 8):
            return
        old = np.frombuffer(self._sorted, np.int64)
        if self._gone:
            old = old[~np.isin(old, np.fromiter(self._gone, np.int64, len(self._gone)))]
        together = np.concatenate([old, np.fromiter(self._recent, np.int64, len(self._recent))])
        together.sort(kind="stable")  # the first part is in order already
        self._sorted = array("q", together.tobytes())
        self._recent.clear()
        self._gone.clear()
