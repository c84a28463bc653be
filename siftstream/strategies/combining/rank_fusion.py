"""Rank fusion: the rankings of several strategies made into one, whatever their scores mean."""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.schemas.errors import StrategyError
from siftstream.strategies.combining.bandit import Bandit
from siftstream.strategies.combining.weighted import WeightedInner
from siftstream.strategies.inner import all_reads
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection, take_best
from siftstream.strategies.strategy import Family, ScoreStrategy, Strategy
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class RankFusion(Strategy):
    """Score sum_i w_i / (k0 + rank_i(x)), reciprocal rank fusion, or the weighted sum of Borda's points.

    Ranks count from 1. Of a ranking that ends at `depth`, the other samples get nothing by reciprocal ranks;
    by Borda, rank r of B gets B - r + 1 points, and the others share those that are left evenly.

    >>> probs = np.array([[[0.5, 0.5]], [[0.9, 0.1]], [[0.6, 0.4]]], np.float32)
    >>> window = Window(probs, np.array([[0.0], [9.0], [1.0]], np.float32), np.zeros((1, 1), np.float32))
    >>> fused = RankFusion(strategies=["margin", "k_center"])  # margin: 0, 2, 1; k_center: 1, 2, 0
    >>> chosen = fused.select(window, 3, np.random.default_rng(0))
    >>> sorted(chosen.indices.tolist()[:2]), chosen.scores.round(6).tolist()  # 1/61 + 1/63, then 2/62
    ([0, 1], [0.032266, 0.032266, 0.032258])
    """

    name: ClassVar[str] = "rank_fusion"
    family: ClassVar[Family] = Family.COMBINING
    cost: ClassVar[str] = "that of all, choosing `depth` rows each"
    when: ClassVar[str] = (
        "Strategies of unlike kinds whose scores do not compare; it takes what all find fair rather than what"
        " one finds best."
    )
    source: ClassVar[str] = (
        "Cormack, Clarke and Buettcher, Reciprocal rank fusion outperforms Condorcet and individual rank"
        " learning methods, SIGIR 2009; Aslam and Montague, Models for metasearch, SIGIR 2001 (Borda-fuse)"
    )

    strategies: tuple[WeightedInner, ...] = Field(
        min_length=1,
        description="The strategies, each a name or `{name, weight, ...}`; a weight is above 0, and 1 where"
        " none is said.",
    )
    method: Literal["reciprocal", "borda"] = Field(
        default="reciprocal", description="How ranks become points: `reciprocal` or `borda`."
    )
    k0: float = Field(
        default=60.0,
        ge=0.0,
        allow_inf_nan=False,
        description="Ranks added to each in `reciprocal`: the larger, the less the first places stand out.",
    )
    depth: int | None = Field(
        default=None,
        gt=0,
        description="Rows that each strategy ranks, at least k; none: the whole window where a strategy"
        " scores each sample by itself, else twice k.",
    )

    def __post_init__(self) -> None:
        """Raise StrategyError where a strategy would have to learn from rounds that are not its own."""
        if any(isinstance(one.strategy, Bandit) for one in self.strategies):
            raise StrategyError(
                "rank_fusion: a bandit cannot learn from rounds that it did not choose alone; make this"
                " fusion one of the bandit's strategies"
            )

    @property
    def reads(self) -> frozenset[Need]:
        """What any of the strategies reads."""
        return all_reads(one.strategy for one in self.strategies)

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Take the `k` rows of the most points."""
        points_B = np.zeros(len(window))
        for one in self.strategies:
            ranked = one.strategy.choose(window, self._depth(one.strategy, k, len(window)), rng).indices
            points_B += one.weight * self._points(ranked, len(window))
        return take_best(points_B, k)

    def _depth(self, strategy: Strategy, k: int, size: int) -> int:
        if self.depth is not None:
            return min(max(self.depth, k), size)
        return size if isinstance(strategy, ScoreStrategy) else min(2 * k, size)

    def _points(self, ranked: NDArray[np.int64], size: int) -> NDArray[np.float64]:
        """Return the points of each row for its place among the ranked, [B]."""
        places = np.arange(1, len(ranked) + 1)
        if self.method == "borda":
            points_B = np.full(size, (size - len(ranked) + 1) / 2.0)
            points_B[ranked] = size - places + 1
        else:
            points_B = np.zeros(size)
            points_B[ranked] = 1.0 / (self.k0 + places)
        return points_B
