"""Core-set: k centres with the smallest radius that leaves out a share of outliers."""

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.blocks import blocks
from siftstream.strategies.distances import Floats, paired, to_nearest
from siftstream.strategies.diversity.traversal import farthest, most_central
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.window import Window

Ints = NDArray[np.int64]
COVERED = -1  # in place of a centre: a covered row is nearer than any
BALL_STEPS = 10  # towards the middle of a cluster's smallest ball


@dataclass(frozen=True)
class CoreSet(Strategy):
    """Lower the largest distance to the nearest centre or covered row, `outliers` of the rows left out.

    The k-center greedy gives an upper bound of the radius, at most twice the best. Sener and Savarese then
    ask a mixed integer program for smaller ones; here a local search does: centres that serve only
    outliers, smallest first, go to the farthest of the other rows, and each centre moves to the row nearest
    to the middle of its cluster's smallest enclosing ball (Badoiu and Clarkson's steps). A step that does
    not lower the radius is undone. A row's score is the share of the window it is nearest to. Time
    O((N + k) B D) a round; memory O(B), a copy of the covered and chosen rows, and a few blocks.

    >>> points = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [90.0]], np.float32)
    >>> window = Window(np.ones((6, 1, 1), np.float32), points)
    >>> CoreSet(outliers=0.2).select(window, 1, np.random.default_rng(0)).indices.tolist()
    [2]
    """

    name: ClassVar[str] = "core_set"
    family: ClassVar[Family] = Family.DIVERSITY
    needs: ClassVar[frozenset[Need]] = frozenset({Need.EMBEDDINGS})
    cost: ClassVar[str] = "B (N + k) D a round"
    when: ClassVar[str] = "As k_center where the window holds outliers not worth a label; slower than it."
    source: ClassVar[str] = (
        "Sener and Savarese, Active learning for convolutional neural networks: a core-set approach,"
        " ICLR 2018, algorithm 2 (its feasibility program relaxed to a local search);"
        " Badoiu and Clarkson, Smaller core-sets for balls, SODA 2003"
    )

    outliers: float = Field(
        default=0.01, ge=0.0, lt=1.0, description="Share of the window that need not be near a centre."
    )
    rounds: int = Field(default=3, ge=0, description="Rounds of the local search at most.")

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Start from the greedy centres and improve them."""
        del rng
        emb_BD, covered_ND = window.emb_BD, window.covered_ND
        aside = int(self.outliers * len(emb_BD))
        first = None if len(covered_ND) else most_central(emb_BD)
        greedy = farthest(emb_BD, k, covered_ND=covered_ND, first=first)
        to_covered_B, _ = to_nearest(emb_BD, covered_ND)
        now = _Centres.at(emb_BD, to_covered_B, greedy.indices)
        for _ in range(self.rounds):
            before = now
            for step in (now.released(emb_BD, covered_ND, aside), now.centred(emb_BD, aside)):
                tried = _Centres.at(emb_BD, to_covered_B, step)
                now = tried if tried.radius(aside) < now.radius(aside) else now
            if now is before:
                break
        served_k = np.bincount(now.which_B[now.which_B != COVERED], minlength=k)
        return Selection.ranked(now.rows_k, served_k / len(emb_BD))


class _Centres:
    """Rows that are centres, and of each row which of them is nearest and how far it is, squared."""

    def __init__(self, rows_k: Ints, which_B: Ints, squared_B: NDArray[np.float32]) -> None:
        self.rows_k, self.which_B, self.squared_B = rows_k, which_B, squared_B

    @classmethod
    def at(cls, emb_BD: Floats, to_covered_B: NDArray[np.float32], rows_k: Ints) -> Self:
        """Assign each row to the nearest centre; covered rows come first among equal ones."""
        squared_B, which_B = to_nearest(emb_BD, emb_BD[rows_k])
        which_B = np.where(to_covered_B <= squared_B, COVERED, which_B)
        return cls(rows_k, which_B, np.minimum(squared_B, to_covered_B))

    def radius(self, aside: int) -> float:
        """Return the largest squared distance once so many rows are left out."""
        last = len(self.squared_B) - 1 - aside
        return float(np.partition(self.squared_B, last)[last])

    def released(self, emb_BD: Floats, covered_ND: Floats, aside: int) -> Ints:
        """Return centres of which those that serve only outliers went to the farthest other rows."""
        served_k = np.bincount(self.which_B[self.which_B != COVERED], minlength=len(self.rows_k))
        order = np.argsort(served_k, kind="stable")
        let_go = order[np.cumsum(served_k[order]) <= aside]
        kept_k = np.ones(len(self.rows_k), bool)
        kept_k[let_go] = False
        kept = self.rows_k[kept_k]
        free_B = ~np.isin(self.which_B, let_go)
        free_B[kept] = False
        free = np.flatnonzero(free_B)
        if not len(let_go) or len(free) < len(let_go):
            return self.rows_k
        centres = np.concatenate([covered_ND.astype(emb_BD.dtype, copy=False), emb_BD[kept]])
        first = None if len(centres) else most_central(emb_BD[free])
        found = farthest(emb_BD[free], len(let_go), covered_ND=centres, first=first)
        return np.concatenate([kept, free[found.indices]])

    def centred(self, emb_BD: Floats, aside: int) -> Ints:
        """Return for each centre the row nearest to the middle of the smallest ball around what it serves."""
        near_B = (self.which_B != COVERED) & (self.squared_B <= self.radius(aside))
        rows = np.flatnonzero(near_B)
        cluster = self.which_B[rows]
        middles_kD = emb_BD[self.rows_k].astype(np.float64)
        for step in range(1, BALL_STEPS + 1):
            served, far = _first_of_each(cluster, -_to_own(emb_BD, rows, middles_kD, cluster))
            middles_kD[served] += (emb_BD[rows[far]] - middles_kD[served]) / (step + 1)
        served, close = _first_of_each(cluster, _to_own(emb_BD, rows, middles_kD, cluster))
        centres = self.rows_k.copy()
        centres[served] = rows[close]
        return centres if len(np.unique(centres)) == len(centres) else self.rows_k


def _to_own(
    emb_BD: Floats, rows: Ints, middles_kD: NDArray[np.float64], cluster: Ints
) -> NDArray[np.float32]:
    squared = np.empty(len(rows), np.float32)
    for part in blocks(len(rows), emb_BD.shape[1]):
        squared[part] = paired(emb_BD[rows[part]], middles_kD[cluster[part]])
    return squared


def _first_of_each(cluster: Ints, values: NDArray[np.float32]) -> tuple[Ints, Ints]:
    """Return the clusters that have rows, and of each the place of the lowest value, ties by place."""
    order = np.lexsort((values, cluster))
    starts = np.flatnonzero(np.diff(cluster[order], prepend=-1))
    return cluster[order][starts], order[starts]
