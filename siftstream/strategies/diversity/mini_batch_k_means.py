"""Mini-batch k-means: the row nearest to each of k centres, which are moved by small random batches."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.clustering import group_sums, plus_plus
from siftstream.strategies.distances import Floats, centre_of, to_nearest
from siftstream.strategies.diversity.k_means import nearest_to_centres
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.steady import steady
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class MiniBatchKMeans(Strategy):
    """Move `k` centres by random batches, then take the row nearest to each.

    Seeds are drawn by k-means++ from three rows for each centre or `batch` rows, whichever is more. A centre
    that has seen n rows moves 1/n of the way to the next. Scores as those of k_means. Time O(B k D) for the
    last pass and O(batch k D) an iteration; memory a few blocks and three copies of the centres.

    >>> points = np.array([[0.0], [1.0], [2.0], [90.0], [91.0], [92.0]], np.float32)
    >>> window = Window(np.ones((6, 1, 1), np.float32), points)
    >>> sorted(MiniBatchKMeans().select(window, 2, np.random.default_rng(0)).indices.tolist())
    [1, 4]
    """

    name: ClassVar[str] = "mini_batch_k_means"
    family: ClassVar[Family] = Family.DIVERSITY
    needs: ClassVar[frozenset[Need]] = frozenset({Need.EMBEDDINGS})
    cost: ClassVar[str] = "B k D once"
    when: ClassVar[str] = "As k_means for windows of hundreds of thousands of rows; a little less exact."
    source: ClassVar[str] = "Sculley, Web-scale k-means clustering, WWW 2010, algorithm 1"

    batch: int = Field(default=1024, ge=1, description="Rows of a batch.")
    iterations: int = Field(default=100, ge=1, description="Batches.")

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Take the rows nearest to the centres."""
        emb_BD = window.emb_BD
        sample = rng.permutation(len(emb_BD))[: max(self.batch, 3 * k)]
        centres = emb_BD[sample[plus_plus(emb_BD[sample], k, rng)]].astype(np.float32)
        seen_K, middle_D = np.zeros(k), centre_of(emb_BD)
        for _ in range(self.iterations):
            rows = rng.integers(len(emb_BD), size=min(self.batch, len(emb_BD)))
            centres = _moved(centres, seen_K, emb_BD[rows], middle_D)
        squared_B, cluster_B = to_nearest(emb_BD, centres, middle_D)
        return nearest_to_centres(cluster_B, squared_B, k)


def _moved(
    centres_KD: NDArray[np.float32], seen_K: NDArray[np.float64], batch_bD: Floats, middle_D: Floats
) -> NDArray[np.float32]:
    """Return the centres after a batch; `seen_K`, how many rows each has seen, is written to.

    Steps of 1/n make a centre the mean of all rows it has seen, so that a batch goes in one step.
    """
    _, cluster_b = to_nearest(batch_bD, centres_KD, middle_D)
    hit, group_b = np.unique(cluster_b, return_inverse=True)
    count = np.bincount(group_b)
    sums = group_sums(batch_bD, np.arange(len(batch_bD)), group_b, np.ones(len(batch_bD)), len(hit))
    before = centres_KD[hit].astype(np.float64) * seen_K[hit, None]
    seen_K[hit] += count
    moved_KD = centres_KD.copy()
    moved_KD[hit] = steady((before + sums) / seen_K[hit, None])
    return moved_KD
