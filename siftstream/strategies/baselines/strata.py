"""Stratified sampling: how many of each stratum, and which."""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from siftstream.strategies.selection import Selection

Share: TypeAlias = Literal["equal", "proportional"]
Counts: TypeAlias = NDArray[np.int64]


def spread_over(strata_B: Counts, k: int, share: Share, rng: np.random.Generator) -> Selection:
    """Choose `k` rows spread over the strata, the earlier rows of each; the rows must stand in random order.

    The i-th of the n that a stratum gives, from 0, scores 1 - (i + 1/2) / n, so that the strata alternate and
    the head of the answer is spread as well.
    """
    _, strata_B = np.unique(strata_B, return_inverse=True)
    sizes = np.bincount(strata_B)
    counts = proportional(sizes, k, rng) if share == "proportional" else equal(sizes, k, rng)
    rows = np.argsort(strata_B, kind="stable")
    place = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    given = np.repeat(counts, sizes)
    taken = place < given
    scores = 1.0 - (place[taken] + 0.5) / given[taken]
    by_row = np.argsort(rows[taken])
    return Selection.ranked(rows[taken][by_row], scores[by_row])


def proportional(sizes: Counts, k: int, rng: np.random.Generator) -> Counts:
    """Return how many of `k` each stratum gives by its size; the remainders are drawn.

    Each count is k n / B rounded up or down, by one draw for all, so that it is k n / B in the mean and every
    sample is chosen with probability k / B (systematic rounding: Cox, 1987, after Madow, 1949).

    >>> proportional(np.array([60, 30, 10]), 10, np.random.default_rng(0)).tolist()
    [6, 3, 1]
    """
    total = int(sizes.sum())
    turn = rng.permutation(len(sizes))
    reached = (np.cumsum(sizes[turn]) * k + int(rng.integers(total))) // total
    counts = np.empty(len(sizes), np.int64)
    counts[turn] = np.diff(reached, prepend=0)
    return counts


def equal(sizes: Counts, k: int, rng: np.random.Generator) -> Counts:
    """Return how many of `k` each stratum gives where all give the same, and small ones all they have.

    What is left when no more can be shared evenly goes to strata that are drawn, one each.

    >>> equal(np.array([60, 30, 2]), 10, np.random.default_rng(0)).tolist()
    [4, 4, 2]
    """
    counts, left = np.zeros_like(sizes), k
    while left:
        open_ = np.flatnonzero(counts < sizes)
        each = left // len(open_)
        if each:
            counts[open_] = np.minimum(counts[open_] + each, sizes[open_])
        else:
            counts[rng.choice(open_, left, replace=False)] += 1
        left = k - int(counts.sum())
    return counts
