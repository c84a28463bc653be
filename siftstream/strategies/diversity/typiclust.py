"""TypiClust: the row with the closest neighbours of each large cluster that nothing covers yet."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.clustering import k_means, turns
from siftstream.strategies.distances import Floats, neighbours
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.window import Window

NEAREST_ZERO = 1e-5  # added to the mean distance, so that duplicates are finitely typical
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class TypiClust(Strategy):
    """Cluster rows and covered rows together into N + k clusters and take the most typical row of each.

    Clusters go by fewest covered rows first, then by size; tiny ones come last. Typicality is
    1 / (mean distance to the nearest rows of the same cluster). Where k is more than there are clusters,
    each gives its second most typical row, and so on. Scores only say the order: 1, (k - 1) / k, ..., 1 / k.
    Time O(B (N + k) D) an iteration of k-means with N + k at most `max_clusters`, and O(B D) times
    `references` for the neighbours; memory a float32 copy of the embeddings and a few blocks.

    >>> points = np.array([[0.0], [1.0], [2.0], [3.0], [4.5], [90.0], [91.0], [93.0]], np.float32)
    >>> window = Window(np.ones((8, 1, 1), np.float32), points)
    >>> TypiClust(neighbours=2).select(window, 2, np.random.default_rng(0)).scores.tolist()
    [1.0, 0.5]
    """

    name: ClassVar[str] = "typiclust"
    family: ClassVar[Family] = Family.DIVERSITY
    needs: ClassVar[frozenset[Need]] = frozenset({Need.EMBEDDINGS})
    cost: ClassVar[str] = "B (N + k) D a k-means iteration"
    when: ClassVar[str] = (
        "For the first tens of labels, when there is no model to trust; later, margin saves more."
    )
    source: ClassVar[str] = (
        "Hacohen, Dekel and Weinshall, Active learning on a budget: opposite strategies suit high and low"
        " budgets, ICML 2022, section 3 and appendix"
    )

    neighbours: int = Field(
        default=20, ge=1, description="Nearest rows whose mean distance makes a row typical."
    )
    max_clusters: int = Field(default=500, ge=1, description="Clusters at most, however much is covered.")
    min_size: int = Field(
        default=5,
        ge=1,
        description="Clusters of fewer rows come last, unless the average cluster is less than twice that.",
    )
    references: int = Field(
        default=1000,
        ge=2,
        description="Rows of a cluster among which neighbours are sought; a larger cluster gives a sample.",
    )
    iterations: int = Field(default=20, ge=1, description="Iterations of k-means at most.")

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Rank the clusters, then take their most typical rows in turn."""
        cluster_B, ranks, small = self._clusters(window, k, rng)
        size = len(small)
        rank_of = np.empty(size, np.int64)
        rank_of[ranks] = np.arange(size)
        whole = min(k, size) if k <= int((~small).sum()) else size
        rows = np.flatnonzero(rank_of[cluster_B] < whole)
        typical = np.zeros(len(cluster_B))
        for members in _groups(rank_of[cluster_B[rows]], rows):
            typical[members] = self.typicality(window.emb_BD[members], rng)
        rank = rank_of[cluster_B[rows]]
        turn = turns(rank, typical[rows])
        best = rows[np.lexsort((rank, turn, small[cluster_B[rows]]))[:k]]
        return Selection(best, 1.0 - np.arange(k) / k)

    def typicality(self, emb_ID: Floats, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return 1 / (mean distance to the nearest of the rows), [I]; 0 for a row by itself.

        As in the authors' program, at most half of the rows count as neighbours.
        """
        size = len(emb_ID)
        if size == 1:
            return np.zeros(1)
        count = max(1, min(self.neighbours, size // 2))
        if size <= self.references:
            squared, _ = neighbours(emb_ID, emb_ID, count, same=True)
            mean = np.sqrt(squared.astype(np.float64)).mean(axis=1)
        else:
            sample = np.sort(rng.choice(size, self.references, replace=False))
            squared, _ = neighbours(emb_ID, emb_ID[sample], count + 1)
            distances = np.sqrt(squared.astype(np.float64))
            mean = distances[:, :-1].mean(axis=1)
            mean[sample] = distances[sample, 1:].mean(axis=1)  # the first is the row itself
        return 1.0 / (mean + NEAREST_ZERO)

    def _clusters(
        self, window: Window, k: int, rng: np.random.Generator
    ) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        """Return the cluster of each row, the clusters best first, and which of them are tiny."""
        emb_BD, covered_ND = window.emb_BD, window.covered_ND
        points = np.concatenate([emb_BD, covered_ND]) if len(covered_ND) else emb_BD
        count = min(len(covered_ND) + k, self.max_clusters, len(points))
        _, cluster_E = np.unique(
            k_means(points, count, rng, iterations=self.iterations).cluster_B, return_inverse=True
        )
        size = int(cluster_E.max()) + 1
        cluster_B = cluster_E[: len(emb_BD)]
        rows_K = np.bincount(cluster_B, minlength=size)
        covered_K = np.bincount(cluster_E[len(emb_BD) :], minlength=size)
        tiny_K = rows_K < min(self.min_size, len(emb_BD) / (2 * size))
        return cluster_B, np.lexsort((np.arange(size), -rows_K, covered_K, tiny_K)), tiny_K


def _groups(group_I: Ints, rows_I: Ints) -> list[Ints]:
    """Return the rows of each group that has any, in the order of the groups."""
    order = np.argsort(group_I, kind="stable")
    return np.split(rows_I[order], np.flatnonzero(np.diff(group_I[order])) + 1)
