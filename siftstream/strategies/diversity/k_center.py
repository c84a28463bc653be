"""k-center greedy: each next sample is the one farthest from everything covered so far."""

from typing import ClassVar

import numpy as np
from pydantic.dataclasses import dataclass

from siftstream.strategies.diversity.traversal import farthest, most_central
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class KCenter(Strategy):
    """Score the Euclidean distance to the nearest covered or already chosen row.

    Starts from the covered rows. Where there are none, the first is the row nearest to the mean, and its
    score is its distance to the farthest row. Time at most O((N + k) * B * D): a row is compared with new
    centres only while its last known distance is still among the largest. Memory O(B) and a few blocks.

    >>> points = np.array([[0.0], [1.0], [9.0], [10.0]], np.float32)
    >>> window = Window(np.ones((4, 1, 1), np.float32), points, covered_ND=points[:1])
    >>> chosen = KCenter().select(window, 2, np.random.default_rng(0))
    >>> chosen.indices.tolist(), chosen.scores.tolist()
    ([3, 1], [10.0, 1.0])
    """

    name: ClassVar[str] = "k_center"
    family: ClassVar[Family] = Family.DIVERSITY
    needs: ClassVar[frozenset[Need]] = frozenset({Need.EMBEDDINGS})
    cost: ClassVar[str] = "B (N + k) D"
    when: ClassVar[str] = "To cover an embedding space evenly; outliers included, so not from a cold model."
    nested: ClassVar[bool] = True
    source: ClassVar[str] = (
        "Sener and Savarese, Active learning for convolutional neural networks: a core-set approach,"
        " ICLR 2018, algorithm 1; Gonzalez, Clustering to minimize the maximum intercluster distance, 1985"
    )

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Take the farthest row `k` times."""
        del rng
        emb_BD, covered_ND = window.emb_BD, window.covered_ND
        if len(covered_ND):
            return farthest(emb_BD, k, covered_ND=covered_ND)
        return farthest(emb_BD, k, first=most_central(emb_BD))
