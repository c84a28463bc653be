"""k-means by Lloyd's iterations from k-means++ seeds, the same on every machine and thread count."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siftstream.strategies.blocks import blocks
from siftstream.strategies.distances import Centred, centre_of, paired, squared_distances, to_nearest
from siftstream.strategies.steady import steady

MOST_DRAWS = 1024  # seeds drawn at once
FEW = 100  # centres: to look at so many costs as much as to see which can be left out
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Clusters:
    """Centres [K, D], the cluster of each row [B], and its squared distance to that centre [B]."""

    centres_KD: NDArray[np.float32]
    cluster_B: NDArray[np.int64]
    squared_B: NDArray[np.float32]


def k_means(
    emb_BD: Floats,
    k: int,
    rng: np.random.Generator,
    *,
    weights_B: NDArray[np.float64] | None = None,
    iterations: int = 20,
) -> Clusters:
    """Cluster the rows around `k` centres that lower the weighted sum of squared distances; O(B k D) a step.

    Clusters may be empty where rows are equal. Ends early when no row changes its cluster.
    Memory: a float32 copy of the rows, three of the centres, and a few blocks.
    Source: Lloyd, Least squares quantization in PCM, 1982; Arthur and Vassilvitskii, k-means++, SODA 2007.
    """
    weights = np.ones(len(emb_BD)) if weights_B is None else weights_B.astype(np.float64)
    middle_D = centre_of(emb_BD)
    rows = Centred.of(emb_BD, middle_D)
    centres = emb_BD[plus_plus(emb_BD, k, rng, weights_B=weights)].astype(np.float32)
    cluster_B = _nearest(rows, Centred.of(centres, middle_D), middle_D)
    sums = _Sums(emb_BD, weights, cluster_B, k)
    for _ in range(iterations):
        before, centres = centres, sums.means(centres)
        moved_K = (before != centres).any(axis=1)
        closer_B = _reassign(rows, cluster_B, Centred.of(centres, middle_D), moved_K, middle_D)
        changed = np.flatnonzero(closer_B != cluster_B)
        if not len(changed):
            break
        sums.move(changed, cluster_B, closer_B)
        cluster_B = closer_B
    return Clusters(centres, cluster_B, _to_own(emb_BD, centres, cluster_B))


def plus_plus(
    emb_BD: Floats, k: int, rng: np.random.Generator, *, weights_B: NDArray[np.float64] | None = None
) -> NDArray[np.int64]:
    """Return `k` distinct rows, each drawn by weight times its squared distance to the ones before it.

    Many rows are drawn at once by their distances to the seeds so far, which are upper bounds, and each is
    kept with the probability that it is still that far from the seeds kept since: rejection, which draws
    from the same distribution as one seed after another. O(B k D) by matrix products. When all other rows
    stand on seeds or weigh nothing, the rest is drawn evenly.
    """
    weights = np.ones(len(emb_BD)) if weights_B is None else weights_B.astype(np.float64)
    centre_D = centre_of(emb_BD)
    rows = np.empty(0, np.int64)
    squared_B = np.full(len(emb_BD), np.inf, np.float32)
    while len(rows) < k:
        chances_B = weights * squared_B if len(rows) else weights.copy()
        chances_B[rows] = 0.0
        if not chances_B.any():
            free = np.setdiff1d(np.arange(len(emb_BD)), rows)
            return np.concatenate([rows, rng.permutation(free)[: k - len(rows)]])
        drawn = _draw(chances_B, min(max(1, len(rows)), MOST_DRAWS), rng)
        kept = drawn[_still_far(emb_BD[drawn], squared_B[drawn], rng, centre_D)][: k - len(rows)]
        rows = np.concatenate([rows, kept])
        if len(rows) < k:
            np.minimum(squared_B, to_nearest(emb_BD, emb_BD[kept], centre_D)[0], out=squared_B)
    return rows


def take_in_turn(
    groups_B: NDArray[np.int64], values_B: NDArray[np.floating[Any]], k: int
) -> NDArray[np.int64]:
    """Return `k` rows: the best of each group first, then the second best of each, and so on.

    Within a turn higher values come first, ties by row.

    >>> take_in_turn(np.array([0, 0, 1, 0]), np.array([3.0, 2.0, 1.0, 9.0]), 3).tolist()
    [3, 2, 0]
    """
    return np.lexsort((np.arange(len(values_B)), -values_B, turns(groups_B, values_B)))[:k]


def turns(groups_B: NDArray[np.int64], values_B: NDArray[Any]) -> NDArray[np.int64]:
    """Return the place of each row within its group, [B], from 0 for the highest value; ties by row.

    >>> turns(np.array([0, 0, 1, 0]), np.array([3.0, 2.0, 1.0, 9.0])).tolist()
    [1, 2, 0, 0]
    """
    order = np.lexsort((-values_B, groups_B))
    sizes = np.bincount(groups_B)
    turn_B = np.empty(len(order), np.int64)
    turn_B[order] = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return turn_B


def group_sums(
    emb_BD: Floats, rows: NDArray[np.int64], groups: NDArray[np.int64], weights: Floats, count: int
) -> NDArray[np.float64]:
    """Return the weighted sum of the rows of each group, [count, D]."""
    sums_GD = np.zeros((count, emb_BD.shape[1]))
    order = np.argsort(groups, kind="stable")
    for part in blocks(len(rows), emb_BD.shape[1]):
        some, group = rows[order[part]], groups[order[part]]
        starts = np.flatnonzero(np.diff(group, prepend=-1))
        weighted = np.multiply(emb_BD[some], weights[order[part], None], dtype=np.float64)
        for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(group)], strict=True):
            sums_GD[group[start]] += weighted[start:stop].sum(axis=0)
    return sums_GD


class _Sums:
    """The weighted sum of each cluster's rows, kept up to date by the rows that change their cluster."""

    def __init__(
        self, emb_BD: Floats, weights_B: NDArray[np.float64], cluster_B: NDArray[np.int64], k: int
    ) -> None:
        self.emb_BD, self.weights_B, self.cluster_B = emb_BD, weights_B, cluster_B
        self.sums_KD = group_sums(emb_BD, np.arange(len(emb_BD)), cluster_B, weights_B, k)

    def move(self, rows: NDArray[np.int64], before_B: NDArray[np.int64], after_B: NDArray[np.int64]) -> None:
        """Take the rows out of the clusters they were in and put them in those they are in now."""
        weights, k = self.weights_B[rows], len(self.sums_KD)
        groups = np.concatenate([before_B[rows], after_B[rows]])
        signed = np.concatenate([-weights, weights])
        self.sums_KD += group_sums(self.emb_BD, np.concatenate([rows, rows]), groups, signed, k)
        self.cluster_B = after_B

    def means(self, before_KD: Floats) -> NDArray[np.float32]:
        """Return the weighted mean of each cluster; an empty one, or one of no weight, stays where it was."""
        total_K = np.bincount(self.cluster_B, self.weights_B, len(self.sums_KD))
        filled = total_K > 0
        means_KD = before_KD.astype(np.float32)
        means_KD[filled] = steady(self.sums_KD[filled] / total_K[filled, None])
        return means_KD


def _draw(chances_B: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return `count` rows, each drawn by the chances, the same row maybe twice."""
    reached_B = np.cumsum(chances_B)
    rows = np.searchsorted(reached_B, rng.random(count) * reached_B[-1], side="right")
    return np.minimum(rows, np.flatnonzero(chances_B)[-1])


def _still_far(
    drawn_JD: Floats, squared_J: NDArray[np.float32], rng: np.random.Generator, centre_D: Floats
) -> NDArray[np.bool_]:
    """Tell of each row drawn, in turn, whether it is kept, by how much of its distance is left."""
    between_JJ = squared_distances(drawn_JD, drawn_JD, centre_D)
    keep_J = np.ones(len(drawn_JD), bool)
    left_J = squared_J.copy()
    for turn, luck in enumerate(rng.random(len(drawn_JD)).tolist()):
        keep_J[turn] = not turn or luck * squared_J[turn] < left_J[turn]
        if keep_J[turn]:
            np.minimum(left_J, between_JJ[turn], out=left_J)
    return keep_J


def _nearest(rows: Centred, centres: Centred, middle_D: Floats) -> NDArray[np.int64]:
    nearest_B = np.empty(len(rows), np.int64)
    for part in blocks(len(rows), max(len(centres), len(middle_D))):
        nearest_B[part] = rows[part].nearest(centres, middle_D)
    return nearest_B


def _reassign(
    rows: Centred,
    cluster_B: NDArray[np.int64],
    centres: Centred,
    moved_K: NDArray[np.bool_],
    middle_D: Floats,
) -> NDArray[np.int64]:
    """Return the cluster of each row; one whose centre stayed looks only at the centres that moved."""
    moved, nearest_B = np.flatnonzero(moved_K), cluster_B.copy()
    stays_B = ~moved_K[cluster_B] if 2 * len(moved) + FEW < len(moved_K) else np.zeros(len(cluster_B), bool)
    adrift, anchored = np.flatnonzero(~stays_B), np.flatnonzero(stays_B)
    for part in blocks(len(adrift), max(len(centres), len(middle_D))):
        nearest_B[adrift[part]] = rows[adrift[part]].nearest(centres, middle_D)
    if not len(moved):
        return nearest_B
    targets = centres[moved]
    for part in blocks(len(anchored), max(len(moved), len(middle_D))):
        some = rows[anchored[part]]
        own, other = cluster_B[anchored[part]], moved[some.nearest(targets, middle_D)]
        to_own = paired(some.points_ID, centres.points_ID[own])
        to_other = paired(some.points_ID, centres.points_ID[other])
        closer = (to_other < to_own) | ((to_other == to_own) & (other < own))
        nearest_B[anchored[part]] = np.where(closer, other, own)
    return nearest_B


def _to_own(
    emb_BD: Floats, centres_KD: NDArray[np.float32], cluster_B: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return each row's squared distance to its centre, [B]."""
    squared_B = np.empty(len(emb_BD), np.float32)
    for part in blocks(*emb_BD.shape):
        squared_B[part] = paired(emb_BD[part], centres_KD[cluster_B[part]])
    return squared_B
