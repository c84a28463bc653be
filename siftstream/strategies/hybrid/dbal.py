"""DBAL: the most informative few times the batch, clustered with their informativeness as weights."""

import math
from typing import ClassVar

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.hybrid.informative import best_rows, scores_in, weights_of
from siftstream.strategies.hybrid.weighted_centres import nearest_to_centres
from siftstream.strategies.inner import Scoring
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.uncertainty.margin import Margin
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class Dbal(Strategy):
    """Of the beta * k most informative rows, take the nearest to each of k centres of weighted k-means.

    The score is the informativeness. Time O(B C) for the filter and O(beta k k D) for each iteration;
    embeddings are gathered for the beta * k alone.

    The two most informative groups are kept (beta * k = 4), and the heavier row of each pulls the centre:

    >>> probs = np.array([[[0.5, 0.5]], [[0.6, 0.4]], [[0.5, 0.5]], [[0.6, 0.4]], [[1.0, 0.0]]])
    >>> window = Window(probs, np.array([[0.0], [1.0], [10.0], [9.0], [50.0]]))
    >>> chosen = Dbal(beta=2.0).select(window, 2, np.random.default_rng(0))
    >>> sorted(chosen.indices.tolist()), chosen.scores.tolist()
    ([0, 2], [1.0, 1.0])
    """

    name: ClassVar[str] = "dbal"
    family: ClassVar[Family] = Family.HYBRID
    needs: ClassVar[frozenset[Need]] = frozenset({Need.EMBEDDINGS})
    cost: ClassVar[str] = "B M C + beta k k D an iteration"
    when: ClassVar[str] = (
        "As two_stage with k_means, where the more uncertain of the pool shall also pull the centres."
    )
    source: ClassVar[str] = "Zhdanov, Diverse mini-batch active learning, 2019, the weighted algorithm"

    uncertainty: Scoring = Field(
        default_factory=Margin, description="What is informative: a name or `{name, ...}`."
    )
    beta: float = Field(
        default=10.0, ge=1.0, allow_inf_nan=False, description="Rows kept by the filter, in batches of k."
    )
    iterations: int = Field(
        default=10, ge=1, description="Most steps of k-means; it ends early when settled."
    )

    @property
    def reads(self) -> frozenset[Need]:
        """Embeddings, and what the uncertainty reads."""
        return self.needs | self.uncertainty.reads

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Filter, cluster, then take a row of each cluster."""
        scores_B = scores_in(window, self.uncertainty, rng)
        kept = best_rows(scores_B, min(len(window), math.ceil(self.beta * k)))
        if len(kept) > k:
            emb_KD = window.rows(kept).emb_BD
            kept = kept[nearest_to_centres(emb_KD, weights_of(scores_B[kept]), k, rng, self.iterations)]
        return Selection.ranked(kept, scores_B[kept])
