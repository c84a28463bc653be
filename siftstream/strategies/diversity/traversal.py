"""The farthest row, again and again: what k-center greedy and the farthest-first traversal share."""

import numpy as np
from numpy.typing import NDArray

from siftstream.strategies.distances import Floats, centre_of, squared_distances, to_nearest
from siftstream.strategies.diversity.lazy import TAKEN, Float32, Rows, greedy
from siftstream.strategies.selection import Selection


def farthest(
    emb_BD: Floats, k: int, *, covered_ND: Floats | None = None, first: int | None = None
) -> Selection:
    """Take the row farthest from all centres, `k` times; its score is its distance to them.

    Centres are the covered rows, or else row `first`, whose score is its distance to the farthest row.
    Time at most O((N + k) B D), far less where centres are many; memory a few blocks and O(B).
    """
    middle_D = centre_of(emb_BD)
    if covered_ND is not None and len(covered_ND):
        bounds_B, _ = to_nearest(emb_BD, covered_ND, middle_D)
        rows, squared = greedy(_Squared(emb_BD, k, middle_D), bounds_B, k)
        return Selection(rows, np.sqrt(squared))
    start = 0 if first is None else first
    bounds_B, _ = to_nearest(emb_BD, emb_BD[start : start + 1], middle_D)
    most = float(bounds_B.max())
    bounds_B[start] = -np.inf
    rows, squared = greedy(_Squared(emb_BD, k, middle_D), bounds_B, k - 1)
    return Selection(np.concatenate([[start], rows]), np.sqrt(np.concatenate([[most], squared])))


def most_central(emb_BD: Floats) -> int:
    """Return the row nearest to the mean."""
    middle_D = centre_of(emb_BD)
    return int(to_nearest(emb_BD, middle_D[None], middle_D)[0].argmin())


class _Squared:
    """Squared distances of rows to the nearest centre, each compared only with centres it has not seen."""

    def __init__(self, emb_BD: Floats, k: int, middle_D: NDArray[np.float64]) -> None:
        self.emb_BD, self.middle_D = emb_BD, middle_D
        self.centres_kD = np.empty((k, emb_BD.shape[1]), emb_BD.dtype)
        self.taken = 0
        self.seen_B = np.zeros(len(emb_BD), np.int64)

    def now(self, rows: Rows, before: Float32) -> Float32:
        """Return the squared distance of each row to the centres that `before` counts and the later ones."""
        squared = before.copy()
        missing = self.taken - self.seen_B[rows]
        # Rows that miss about as many centres go together.
        doublings = np.ceil(np.log2(np.maximum(missing, 1))).astype(np.int64)
        for level in np.unique(doublings[missing > 0]).tolist():
            some = np.flatnonzero((doublings == level) & (missing > 0))
            since = self.centres_kD[self.taken - int(missing[some].max()) : self.taken]
            nearest, _ = to_nearest(self.emb_BD[rows[some]], since, self.middle_D)
            squared[some] = np.minimum(squared[some], nearest)
        self.seen_B[rows] = self.taken
        return squared

    def pool(self, rows: Rows, values: Float32) -> "_Pool":
        """Return the rows with all distances between them."""
        return _Pool(self, rows, values)


class _Pool:
    def __init__(self, squared: _Squared, rows: Rows, values: Float32) -> None:
        emb = squared.emb_BD[rows]
        self.squared, self.rows, self.emb, self.bounds = squared, rows, emb, values
        self.between = squared_distances(emb, emb, squared.middle_D)

    def best(self) -> int:
        """Return the place of the row farthest from all centres."""
        return int(self.bounds.argmax())

    def take(self, place: int) -> None:
        """Make the row a centre."""
        squared = self.squared
        squared.centres_kD[squared.taken] = self.emb[place]
        squared.taken += 1
        squared.seen_B[self.rows] = squared.taken
        np.minimum(self.bounds, self.between[place], out=self.bounds)
        self.bounds[place] = TAKEN
