"""k-means: the row nearest to each of k centres."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.clustering import k_means, take_in_turn, turns
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class KMeans(Strategy):
    """Cluster the window around `k` centres and take the row nearest to each.

    A row's score is the share of the window in its cluster. Where clusters are empty because rows are equal,
    the others give their second nearest row too, at half the score, and so on. Time O(B k D) an iteration;
    memory a float32 copy of the embeddings, three of the centres, and a few blocks.

    >>> points = np.array([[0.0], [1.0], [2.0], [90.0], [91.5], [92.0]], np.float32)
    >>> window = Window(np.ones((6, 1, 1), np.float32), points)
    >>> chosen = KMeans().select(window, 2, np.random.default_rng(0))
    >>> sorted(chosen.indices.tolist()), chosen.scores.tolist()
    ([1, 4], [0.5, 0.5])
    """

    name: ClassVar[str] = "k_means"
    family: ClassVar[Family] = Family.DIVERSITY
    needs: ClassVar[frozenset[Need]] = frozenset({Need.EMBEDDINGS})
    cost: ClassVar[str] = "B k D an iteration"
    when: ClassVar[str] = (
        "For the first labels, or the diverse half of two-stage; it does not see what is covered."
    )
    source: ClassVar[str] = (
        "Zhdanov, Diverse mini-batch active learning, 2019, algorithm 1 without weights; Lloyd 1982"
    )

    iterations: int = Field(default=20, ge=1, description="Iterations of k-means at most.")

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Take the rows nearest to the centres."""
        found = k_means(window.emb_BD, k, rng, iterations=self.iterations)
        return nearest_to_centres(found.cluster_B, found.squared_B, k)


def nearest_to_centres(cluster_B: NDArray[np.int64], squared_B: NDArray[np.float32], k: int) -> Selection:
    """Return the row nearest to each centre, then the second nearest; scores are shares of the window."""
    rows = take_in_turn(cluster_B, -squared_B, k)
    turn = turns(cluster_B, -squared_B)[rows]
    return Selection.ranked(rows, np.bincount(cluster_B)[cluster_B[rows]] / (len(cluster_B) * (1.0 + turn)))
