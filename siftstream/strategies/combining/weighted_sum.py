"""Weighted sum: the scores of several strategies, made comparable, then added."""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.schemas.errors import StrategyError
from siftstream.strategies.combining.weighted import WeightedInner
from siftstream.strategies.inner import all_reads
from siftstream.strategies.needs import Need
from siftstream.strategies.strategy import Family, ScoreStrategy
from siftstream.strategies.window import Window

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class WeightedSum(ScoreStrategy):
    """Score sum_i w_i s_i(x) of each sample, where s_i is strategy i's score after `scale`.

    `rank` puts the share of other samples that score lower, ties counting half: 0 to 1 whatever the scores.
    `minmax` puts (s - min) / (max - min), and 0 where all are equal. `none` adds the scores as they are.

    >>> probs = np.array([[[0.5, 0.5]], [[0.9, 0.1]], [[0.6, 0.4]]], np.float32)
    >>> window = Window(probs, np.zeros((3, 0), np.float32))
    >>> both = WeightedSum(strategies=["margin", {"name": "entropy", "weight": 2.0}])
    >>> chosen = both.select(window, 3, np.random.default_rng(0))
    >>> chosen.indices.tolist(), chosen.scores.tolist()
    ([0, 2, 1], [3.0, 1.5, 0.0])
    """

    name: ClassVar[str] = "weighted_sum"
    family: ClassVar[Family] = Family.COMBINING
    cost: ClassVar[str] = "that of all, and B log B for each where ranks are added"
    when: ClassVar[str] = (
        "Two reasons that must both hold, weighed by you; for strategies that choose a batch as a whole,"
        " rank_fusion."
    )
    source: ClassVar[str] = "Fox and Shaw, Combination of multiple searches, TREC-2, 1994 (CombSUM)"

    strategies: tuple[WeightedInner, ...] = Field(
        min_length=1,
        description="Strategies that score each sample by itself, each a name or `{name, weight, ...}`;"
        " a weight is above 0, and 1 where none is said.",
    )
    scale: Literal["rank", "minmax", "none"] = Field(
        default="rank", description="How scores are made comparable: `rank`, `minmax` or `none`."
    )

    def __post_init__(self) -> None:
        """Raise StrategyError where a strategy has no score of each sample."""
        for one in self.strategies:
            if not isinstance(one.strategy, ScoreStrategy):
                raise StrategyError(
                    f"weighted_sum: {one.strategy.name} chooses a batch as a whole and has no score of each"
                    " sample to add; use rank_fusion"
                )

    @property
    def reads(self) -> frozenset[Need]:
        """What any of the strategies reads."""
        return all_reads(one.strategy for one in self.strategies)

    def score(self, window: Window, rng: np.random.Generator) -> Scores:
        """Return the sum for each row, [B]."""
        total_B = np.zeros(len(window))
        for one in self.strategies:
            if isinstance(one.strategy, ScoreStrategy):
                total_B += one.weight * _scaled(one.strategy.score(window, rng), self.scale)
        return total_B


def _scaled(scores_B: Scores, scale: Literal["rank", "minmax", "none"]) -> Scores:
    match scale:
        case "rank":
            return ranks(scores_B)
        case "minmax":
            lowest, highest = scores_B.min(), scores_B.max()
            return (scores_B - lowest) / (highest - lowest) if highest > lowest else np.zeros(len(scores_B))
        case "none":
            return scores_B


def ranks(scores_B: Scores) -> Scores:
    """Return the share of the other rows that score lower, ties counting half, [B]; 0.5 of a single row.

    >>> ranks(np.array([0.2, 0.9, 0.2])).tolist()
    [0.25, 1.0, 0.25]
    """
    if len(scores_B) == 1:
        return np.full(1, 0.5)
    _, level_B, sizes = np.unique(scores_B, return_inverse=True, return_counts=True)
    lower = np.cumsum(sizes) - sizes
    return ((lower + (sizes - 1) / 2) / (len(scores_B) - 1))[level_B]
