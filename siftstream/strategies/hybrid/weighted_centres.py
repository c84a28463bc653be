"""The samples nearest to the centres of a weighted k-means: what CLUE and DBAL choose."""

import numpy as np
from numpy.typing import NDArray

from siftstream.strategies.clustering import k_means, take_in_turn
from siftstream.strategies.window import Floats


def nearest_to_centres(
    emb_BD: Floats, weights_B: NDArray[np.float64], k: int, rng: np.random.Generator, iterations: int
) -> NDArray[np.int64]:
    """Return `k` distinct rows: of each of `k` clusters the row nearest to its centre.

    Where equal rows leave clusters empty, the second nearest of the others fill up.
    """
    clusters = k_means(emb_BD, k, rng, weights_B=weights_B, iterations=iterations)
    return take_in_turn(clusters.cluster_B, -clusters.squared_B, k)
