"""FALCUN: draws samples that are uncertain and unlike those drawn before, by probabilities alone."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.blocks import blocks
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.steady import steady
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.uncertainty.base import mean_probs
from siftstream.strategies.uncertainty.margin import Margin
from siftstream.strategies.window import Window

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Falcun(Strategy):
    """Draw each next row with a chance in proportion to (u + d)^gamma.

    u is the margin uncertainty; d starts as u, then falls to the L1 distance between the probabilities of
    the row and of those drawn, and is stretched from 0 to 1 after each draw. The score is u + d at the draw.
    Time O(B k C), memory B C.

    Without uncertainty nothing is drawn as long as something else is left:

    >>> probs = np.array([[[0.5, 0.5]], [[1.0, 0.0]]])
    >>> chosen = Falcun().select(Window(probs, np.zeros((2, 0))), 2, np.random.default_rng(0))
    >>> chosen.indices.tolist(), chosen.scores.tolist()
    ([0, 1], [2.0, 0.0])
    """

    name: ClassVar[str] = "falcun"
    family: ClassVar[Family] = Family.HYBRID
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBS})
    cost: ClassVar[str] = "B k C"
    when: ClassVar[str] = (
        "Uncertain and diverse without embeddings, quick with few classes; not from a cold model."
    )
    source: ClassVar[str] = (
        "Gilhuber, Beer, Ma and Seidl, FALCUN: a simple and efficient deep active learning strategy,"
        " ECML PKDD 2024, equations 1 to 6"
    )

    gamma: float = Field(
        default=10.0, ge=0.0, le=100.0, description="Exponent: 0 draws uniformly, larger ones more greedily."
    )

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Draw `k` rows and rank them by the score that they were drawn with."""
        probs_CB, uncertainty_B = _by_class(window)
        apart_B = uncertainty_B.copy()
        free_B = np.ones(len(window), bool)
        rows, scores = np.empty(k, np.int64), np.empty(k)
        for turn in range(k):
            relevance_B = uncertainty_B + apart_B
            row = _drawn(relevance_B, free_B, self.gamma, rng)
            rows[turn], scores[turn] = row, relevance_B[row]
            free_B[row] = False
            np.minimum(apart_B, _l1_to(probs_CB, row), out=apart_B)
            apart_B = stretched(apart_B)
        return Selection.ranked(rows, scores)


def stretched(values_B: Float32) -> Float32:
    """Return the values moved and scaled to reach from 0 to 1; all 0 where they are equal.

    >>> stretched(np.array([2.0, 3.0, 6.0], np.float32)).tolist()
    [0.0, 0.25, 1.0]
    """
    values_B = values_B - values_B.min()
    highest = values_B.max()
    return values_B / highest if highest > 0.0 else values_B


def _by_class(window: Window) -> tuple[Float32, Float32]:
    """Return the mean probabilities of each class over the rows, [C, B], and the margin uncertainty, [B]."""
    probs_CB = np.empty((window.classes, len(window)), np.float32)
    uncertainty_B = np.empty(len(window), np.float32)
    for part in blocks(len(window), window.members * window.classes):
        probs_BC = mean_probs(window.rows(part))
        probs_CB[:, part] = probs_BC.T
        uncertainty_B[part] = steady(Margin.of(probs_BC))
    return probs_CB, uncertainty_B


def _l1_to(probs_CB: Float32, row: int) -> Float32:
    """Return the L1 distance of each row to one, added class by class, the same whatever the blocks."""
    total_B = np.zeros(probs_CB.shape[1], np.float32)
    apart_B = np.empty_like(total_B)
    for probs_B in probs_CB:
        np.subtract(probs_B, probs_B[row], out=apart_B)
        total_B += np.abs(apart_B, out=apart_B)
    return total_B


def _drawn(relevance_B: Float32, free_B: NDArray[np.bool_], gamma: float, rng: np.random.Generator) -> int:
    chances_B = np.where(free_B, relevance_B, 0.0).astype(np.float64) / 2.0
    chances_B = chances_B**gamma if gamma else free_B.astype(np.float64)
    if not chances_B.any():
        chances_B = free_B.astype(np.float64)
    reached_B = np.cumsum(chances_B)
    row = int(np.searchsorted(reached_B, rng.random() * reached_B[-1], side="right"))
    return row if row < len(free_B) else int(np.flatnonzero(free_B)[-1])
