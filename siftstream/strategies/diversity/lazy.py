"""Lazy greedy: take the best row again and again where what a row adds only shrinks as others are taken."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from siftstream.strategies.selection import take_best

REFRESHED = 1024  # rows brought up to date at once; four times as many where none of them comes out best
TAKEN = np.float32(-np.inf)
Rows = NDArray[np.int64]
Float32 = NDArray[np.float32]


class Pool(Protocol):
    """A few rows among which the best ones are taken."""

    bounds: Float32  # what each adds at most, -inf once taken

    def best(self) -> int:
        """Return the place of the row that adds most, the earliest of equal ones; `bounds` is right there."""
        ...

    def take(self, place: int) -> None:
        """Count that row among those taken."""
        ...


class Gains(Protocol):
    """What rows add to those taken; an older answer stays an upper bound of a newer one."""

    def now(self, rows: Rows, before: Float32) -> Float32:
        """Return what each of the rows adds now, at most `before`, in steady numbers."""
        ...

    def pool(self, rows: Rows, values: Float32) -> Pool:
        """Return a pool of rows that add `values` now."""
        ...


def greedy(
    gains: Gains, bounds_B: NDArray[np.floating[Any]], k: int, *, least: float = -np.inf
) -> tuple[Rows, NDArray[np.float64]]:
    """Return `k` rows, each the one that adds most to those before it, and what it added.

    `bounds_B` says what rows add at most (-inf: not to be taken), and is written to. Rows whose bound is
    below what the best row adds are not asked again, which gives exactly the rows of the plain double loop;
    ties go to the earlier row. Ends before `k` rows where none adds more than `least`.
    Source: Minoux, Accelerated greedy algorithms for maximizing submodular set functions, 1978.
    """
    taken: list[int] = []
    values: list[float] = []
    size = REFRESHED
    while len(taken) < k:
        asked = np.sort(take_best(bounds_B, min(size, len(bounds_B))).indices)
        bounds_B[asked] = gains.now(asked, bounds_B[asked].astype(np.float32))
        rows, (outside, earliest) = _leaders(bounds_B, asked)
        if not len(rows):
            size *= 4
            continue
        pool, size = gains.pool(rows, bounds_B[rows].astype(np.float32)), REFRESHED
        while len(taken) < k:
            place = pool.best()
            row, value = int(rows[place]), float(pool.bounds[place])
            if value < outside or (value == outside and row > earliest):
                break
            if value <= least:
                return np.array(taken, np.int64), np.array(values)
            pool.take(place)
            taken.append(row)
            values.append(value)
        bounds_B[rows] = pool.bounds
    return np.array(taken, np.int64), np.array(values)


def _leaders(bounds_B: NDArray[np.floating[Any]], asked: Rows) -> tuple[Rows, tuple[float, int]]:
    """Return which of the rows just asked may be the best of all, and the highest bound outside them.

    The latter with its earliest row; where there is none outside, as -inf and no row.
    """
    stale_B = bounds_B.copy()
    stale_B[asked] = TAKEN
    first = int(stale_B.argmax())
    ahead = (bounds_B[asked] > stale_B[first]) | ((bounds_B[asked] == stale_B[first]) & (asked < first))
    if stale_B[first] == TAKEN:
        ahead[:] = True
    leaders = asked[ahead]
    if len(leaders) > REFRESHED:
        leaders = np.sort(leaders[take_best(bounds_B[leaders], REFRESHED).indices])
    stale_B[asked] = bounds_B[asked]
    stale_B[leaders] = TAKEN
    first = int(stale_B.argmax())
    highest = float(stale_B[first])
    return leaders, (highest, first if highest > TAKEN else len(bounds_B))
