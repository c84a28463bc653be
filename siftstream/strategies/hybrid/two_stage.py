"""Two-stage: an uncertainty takes a pool a few times the batch, a diversity chooses the batch from it."""

import math
from typing import ClassVar

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.hybrid.informative import best_rows, scores_in
from siftstream.strategies.inner import Inner, Scoring, all_reads
from siftstream.strategies.needs import Need
from siftstream.strategies.registry import get_strategy
from siftstream.strategies.selection import Selection
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.uncertainty.margin import Margin
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class TwoStage(Strategy):
    """Choose k of the min(factor * k, most_of_window * B) most uncertain samples, so that they differ.

    The pool never holds less than k. The cap counts where the window is small: a pool that is most of the
    window leaves nothing of the uncertainty. The score is the uncertainty. Embeddings are gathered for the
    pool alone. Time that of the uncertainty over B rows and of the diversity over the pool.

    Of six samples the four most uncertain are a pool (2 * k), and two far apart cover it:

    >>> probs = np.array([[0.5, 0.5], [0.55, 0.45], [0.6, 0.4], [0.65, 0.35], [0.9, 0.1], [1.0, 0.0]])
    >>> points = np.array([[0.0], [1.0], [2.0], [9.0], [50.0], [99.0]], np.float32)
    >>> window = Window(probs[:, None, :].astype(np.float32), points)
    >>> strategy = TwoStage(diversity="k_center", factor=2.0, most_of_window=1.0)
    >>> chosen = strategy.select(window, 2, np.random.default_rng(0))
    >>> chosen.indices.tolist(), chosen.scores.round(6).tolist()
    ([2, 3], [0.8, 0.7])
    """

    name: ClassVar[str] = "two_stage"
    family: ClassVar[Family] = Family.HYBRID
    cost: ClassVar[str] = "B M C + f k k D with k_means"
    when: ClassVar[str] = (
        "The default once a model is trained: near the border, without asking the same twice; not for"
        " batches that are most of the window, where it is its uncertainty alone."
    )
    source: ClassVar[str] = (
        "Monarch, Human-in-the-Loop Machine Learning, 2021, section 5.1 (least confidence, then clustering);"
        " the cap by a trial of ours on handwritten digits"
    )

    uncertainty: Scoring = Field(
        default_factory=Margin,
        description="What fills the pool: a strategy that scores each sample, a name or `{name, ...}`.",
    )
    diversity: Inner = Field(
        default_factory=lambda: get_strategy("k_means"),
        description="What chooses from the pool: any strategy, a name or `{name, ...}`.",
    )
    factor: float = Field(
        default=10.0, ge=1.0, allow_inf_nan=False, description="Size of the pool, in batches of k."
    )
    most_of_window: float = Field(
        default=0.25, gt=0.0, le=1.0, description="The most that the pool may be, as a share of the window."
    )

    @property
    def reads(self) -> frozenset[Need]:
        """What either part reads."""
        return all_reads((self.uncertainty, self.diversity))

    def pool_size(self, rows: int, k: int) -> int:
        """Return how many rows the pool holds.

        >>> TwoStage(diversity="k_center").pool_size(10_000, 20)
        200
        >>> TwoStage(diversity="k_center", most_of_window=0.25).pool_size(400, 20)
        100
        """
        return max(k, min(math.ceil(self.factor * k), math.ceil(self.most_of_window * rows)))

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Fill the pool, then choose from it; where both are of one size there is no choice left."""
        scores_B = scores_in(window, self.uncertainty, rng)
        pool = best_rows(scores_B, self.pool_size(len(window), k))
        if len(pool) > k:
            pool = pool[self.diversity.choose(window.rows(pool), k, rng).indices]
        return Selection.ranked(pool, scores_B[pool])
