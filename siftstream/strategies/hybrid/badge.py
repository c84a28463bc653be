"""BADGE: samples whose gradients of the last layer are long and point apart, by k-means++."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from siftstream.strategies.hybrid.gradients import Gradients
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.steady import steady
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.window import Window

FEWEST, MOST = 8, 1024  # rows drawn at once


@dataclass(frozen=True)
class Badge(Strategy):
    """Draw each next row by the squared distance of its gradient to the nearest one drawn.

    The first is the longest gradient, as in the authors' code (the paper's algorithm 1 leaves it to
    k-means++, which draws it uniformly). The gradient is that of the weights alone, without the bias. The
    score is the length of the gradient. Time O(B k (C + D)) in matrix products; memory B C and a few blocks.
    What is covered is not kept away from: it has no probabilities here.

    Residuals of the three rows are (-.5, .5), (-.1, .1) and (0, 0), times embeddings of length 2, 2 and 1:

    >>> probs = np.array([[[0.5, 0.5]], [[0.9, 0.1]], [[1.0, 0.0]]])
    >>> window = Window(probs, np.array([[2.0, 0.0], [0.0, 2.0], [1.0, 0.0]]))
    >>> chosen = Badge().select(window, 3, np.random.default_rng(0))
    >>> chosen.indices.tolist(), chosen.scores.round(4).tolist()
    ([0, 1, 2], [1.4142, 0.2828, 0.0])
    """

    name: ClassVar[str] = "badge"
    family: ClassVar[Family] = Family.HYBRID
    needs: ClassVar[frozenset[Need]] = frozenset({Need.GRADIENT})
    cost: ClassVar[str] = "B k (C + D)"
    when: ClassVar[str] = "Large batches with nothing to set; behind two_stage where batches are small."
    source: ClassVar[str] = (
        "Ash, Zhang, Krishnamurthy, Langford and Agarwal, Deep batch active learning by diverse, uncertain"
        " gradient lower bounds, ICLR 2020, algorithm 1"
    )

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Draw `k` rows by k-means++ and rank them by the length of their gradients."""
        gradients = Gradients.of(window)
        lengths_B = np.sqrt(steady(gradients.squared_norms_B).astype(np.float64))
        rows = drawn_apart(gradients, int(lengths_B.argmax()), k, rng)
        return Selection.ranked(rows, lengths_B[rows])


def drawn_apart(gradients: Gradients, first: int, k: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return `k` distinct rows, each drawn by its squared distance to the nearest of the ones before it.

    Many are drawn at once by the distances at hand, which are upper bounds once one of them is taken; a row
    is then taken with the chance of its true distance over that bound. Such rejection leaves the
    distribution as it is, and the distances of all rows are brought up to date by one matrix product for
    all that were taken. Where every distance is 0, the rest is drawn uniformly.
    """
    rows = np.array([first])
    squared_B = gradients.to_nearest(rows)
    squared_B[rows] = 0.0
    at_once = FEWEST
    while len(rows) < k:
        if not squared_B.any():
            free = np.setdiff1d(np.arange(len(squared_B)), rows)
            return np.concatenate([rows, rng.permutation(free)[: k - len(rows)]])
        drawn, bars = _drawn(squared_B, at_once, rng)
        taken = drawn[_passing(gradients.among(drawn), squared_B[drawn], bars)][: k - len(rows)]
        rows = np.concatenate([rows, taken])
        if len(rows) < k:
            np.minimum(squared_B, gradients.to_nearest(taken), out=squared_B)
            squared_B[taken] = 0.0
        at_once = min(max(2 * len(taken), FEWEST), MOST)
    return rows


def _drawn(
    squared_B: NDArray[np.float32], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return rows drawn by their bounds, one after another, and the bar that each must pass."""
    reached_B = np.cumsum(squared_B, dtype=np.float64)
    wanted = rng.random(count) * reached_B[-1]
    drawn = np.minimum(np.searchsorted(reached_B, wanted, side="right"), len(squared_B) - 1)
    return drawn, rng.random(count) * squared_B[drawn]


def _passing(
    apart_TT: NDArray[np.float32], bounds_T: NDArray[np.float32], bars_T: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return which draws are taken, in their order, given the distances between them."""
    nearest_T = bounds_T.copy()
    passing: list[int] = []
    for turn, bar in enumerate(bars_T.tolist()):
        if nearest_T[turn] > bar:
            passing.append(turn)
            np.minimum(nearest_T, apart_TT[turn], out=nearest_T)
    return np.array(passing, np.int64)
