"""The way from an id's key to its slot: a table of buckets, worked on a batch at a time."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

WAYS: Final = 16  # cells of a bucket
ROOM: Final = 2  # cells a row, at least: then about one row in a thousand finds its bucket full
SMALLEST: Final = 256  # buckets to begin with; always a power of two
BLOCK: Final = 4096  # rows placed at once, at most
_HALF: Final = np.uint64(32)
_LOW: Final = np.uint64(0xFFFFFFFF)
Keys = NDArray[np.uint64]
Slots = NDArray[np.int64]


class Index:
    """Finds the slots of keys; 16 to 32 bytes a row, and less while there are few rows.

    The upper half of a key says which bucket; a cell holds the lower half and the slot.

    >>> keys = np.array([5, 1 << 40, 6], np.uint64)
    >>> index = Index(keys)
    >>> index.add(np.array([0, 1]))
    >>> index.find(np.array([1 << 40, 6], np.uint64))
    [(0, 1)]
    >>> index.remove(np.array([0])); len(index)
    1
    """

    def __init__(self, keys: Keys) -> None:
        """Args: the key of each slot, an array that its owner goes on writing."""
        self._keys = keys
        self._cells = np.zeros((SMALLEST, WAYS), np.uint64)  # lower half << 32 | slot + 1; 0 is free
        self._spilled: dict[int, list[int]] = {}  # slots by key, of rows whose bucket was full
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def find(self, keys: Keys) -> list[tuple[int, int]]:
        """Return pairs of a row of `keys` and a slot that has that key, in the order of the rows."""
        cells = self._cells[self._buckets(keys)]
        rows, ways = np.nonzero((cells >> _HALF) == (keys & _LOW)[:, None])
        slots = (cells[rows, ways] & _LOW).astype(np.int64) - 1
        true = (slots >= 0) & (self._keys[slots] == keys[rows])
        found = list(zip(rows[true].tolist(), slots[true].tolist(), strict=True))
        if self._spilled:
            spilled = enumerate(self._spilled.get(key, ()) for key in keys.tolist())
            found = sorted([*found, *((row, slot) for row, others in spilled for slot in others)])
        return found

    def add(self, slots: Slots) -> None:
        """Note slots whose keys were just written."""
        self._size += len(slots)
        if self._size * ROOM > self._cells.size:
            self._grow()
        self._place(slots)

    def remove(self, slots: Slots) -> None:
        """Forget slots that were added and whose keys are not yet written over."""
        keys = self._keys[slots]
        buckets = self._buckets(keys)
        rows, ways = np.nonzero(self._cells[buckets] == _cells(keys, slots)[:, None])
        self._cells[buckets[rows], ways] = 0
        self._size -= len(slots)
        for slot in _but(slots, rows):
            key = int(self._keys[slot])
            self._spilled[key].remove(slot)
            if not self._spilled[key]:
                del self._spilled[key]

    def _buckets(self, keys: Keys) -> Slots:
        return (((keys >> _HALF) * np.uint64(len(self._cells))) >> _HALF).astype(np.int64)

    def _place(self, slots: Slots) -> None:
        for start in range(0, len(slots), BLOCK):
            self._place_block(slots[start : start + BLOCK])

    def _place_block(self, slots: Slots) -> None:
        """Give each slot a free cell of its bucket: the n-th of a bucket's rows the n-th free one."""
        buckets = self._buckets(self._keys[slots])
        order = np.argsort(buckets, kind="stable")
        slots, buckets = slots[order], buckets[order]
        first = np.searchsorted(buckets, buckets)
        nth = np.arange(1, len(slots) + 1) - first
        free = self._cells[buckets] == 0
        free &= np.cumsum(free, axis=1, dtype=np.int8) == nth[:, None]
        rows, ways = np.nonzero(free)
        self._cells[buckets[rows], ways] = _cells(self._keys[slots[rows]], slots[rows])
        for slot in _but(slots, rows):
            self._spilled.setdefault(int(self._keys[slot]), []).append(slot)

    def _grow(self) -> None:
        """Make the table large enough for twice the rows there are, and place them anew."""
        cells = self._cells[self._cells != 0]
        spilled = [slot for slots in self._spilled.values() for slot in slots]
        slots = np.r_[(cells & _LOW).astype(np.int64) - 1, np.array(spilled, np.int64)]
        buckets = len(self._cells)
        while self._size * ROOM > buckets * WAYS:
            buckets *= 2
        self._cells, self._spilled = np.zeros((buckets, WAYS), np.uint64), {}
        self._place(slots)


def _cells(keys: Keys, slots: Slots) -> NDArray[np.uint64]:
    return ((keys & _LOW) << _HALF) | (slots + 1).astype(np.uint64)


def _but(slots: Slots, rows: NDArray[np.int64]) -> list[int]:
    """Return the slots that are not in these rows."""
    if len(rows) == len(slots):
        return []
    left = np.ones(len(slots), bool)
    left[rows] = False
    return slots[left].tolist()
