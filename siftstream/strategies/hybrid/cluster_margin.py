"""Cluster-Margin: the smallest margins, taken in turn from small clusters to large ones."""

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.clustering import k_means, turns
from siftstream.strategies.hybrid.informative import best_rows, scores_in
from siftstream.strategies.inner import Scoring
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.uncertainty.margin import Margin
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class ClusterMargin(Strategy):
    """Of the factor * k smallest margins, take a random row of each cluster, again and again, smallest first.

    The paper clusters the whole pool once by average linkage, which takes B^2 distances and a pool that
    stays. On a stream the candidates are clustered instead, by k-means into clusters of `cluster_size` rows
    on average. The score is the uncertainty. Time O(factor^2 k^2 D / cluster_size) for each iteration.

    A sample by itself and a pair: the single one comes first, then one of the pair:

    >>> window = Window(np.full((3, 1, 2), 0.5), np.array([[0.0], [0.0], [9.0]]))
    >>> chosen = ClusterMargin(cluster_size=1.5).select(window, 2, np.random.default_rng(0))
    >>> 2 in chosen.indices, chosen.scores.tolist()
    (True, [1.0, 1.0])
    """

    name: ClassVar[str] = "cluster_margin"
    family: ClassVar[Family] = Family.HYBRID
    needs: ClassVar[frozenset[Need]] = frozenset({Need.EMBEDDINGS})
    cost: ClassVar[str] = "B M C + f^2 k^2 D / s an iteration"
    when: ClassVar[str] = (
        "Large batches from a stream with rare kinds of samples; small ones gain nothing over two_stage."
    )
    source: ClassVar[str] = (
        "Citovsky, DeSalvo, Gentile, Karydas, Rajagopalan, Rostamizadeh and Kumar, Batch active learning at"
        " scale, NeurIPS 2021, algorithms 1 and 2"
    )

    uncertainty: Scoring = Field(
        default_factory=Margin, description="What fills the candidates: a name or `{name, ...}`."
    )
    factor: float = Field(
        default=10.0, ge=1.0, allow_inf_nan=False, description="Number of candidates, in batches of k."
    )
    cluster_size: float = Field(
        default=20.0, ge=1.0, allow_inf_nan=False, description="Candidates of a cluster on average, in rows."
    )
    iterations: int = Field(default=5, ge=1, description="Most steps of k-means; it ends early when settled.")

    @property
    def reads(self) -> frozenset[Need]:
        """Embeddings, and what the uncertainty reads."""
        return self.needs | self.uncertainty.reads

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Cluster the candidates, then go round the clusters."""
        scores_B = scores_in(window, self.uncertainty, rng)
        kept = best_rows(scores_B, min(len(window), math.ceil(self.factor * k)))
        if len(kept) > k:
            clusters = math.ceil(len(kept) / self.cluster_size)
            found = k_means(window.rows(kept).emb_BD, clusters, rng, iterations=self.iterations)
            kept = kept[round_robin(found.cluster_B, k, rng)]
        return Selection.ranked(kept, scores_B[kept])


def round_robin(cluster_B: NDArray[np.int64], k: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return `k` rows: a random one of each cluster, small clusters first, then a second one of each.

    >>> round_robin(np.array([0, 0, 0, 1]), 2, np.random.default_rng(0))[0].tolist()
    3
    """
    lot_B = rng.permutation(len(cluster_B))
    sizes = np.bincount(cluster_B)
    return np.lexsort((cluster_B, sizes[cluster_B], turns(cluster_B, -lot_B)))[:k]
