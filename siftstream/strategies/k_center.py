"""k-center greedy: each next sample is the one farthest from everything covered so far."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from siftstream.strategies.base import Floats, Need, Selection, Strategy, Window

BLOCK_VALUES = 1 << 20  # floats of one block of differences or distances: 4 MiB
Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class KCenter(Strategy):
    """Score the Euclidean distance to the nearest covered or already chosen row.

    Starts from the covered rows. Where there are none, the first is the row nearest to the mean, and its
    score is its distance to the farthest row. Time O((N + k) * B * D); memory one float32 copy of the
    embeddings (none where they are float32 already) and a few blocks.

    >>> points = np.array([[0.0], [1.0], [9.0], [10.0]], np.float32)
    >>> window = Window(np.ones((4, 1, 1), np.float32), points, covered_ND=points[:1])
    >>> chosen = KCenter().select(window, 2, np.random.default_rng(0))
    >>> chosen.indices.tolist(), chosen.scores.tolist()
    ([3, 1], [10.0, 1.0])
    """

    name: ClassVar[str] = "k_center"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.EMBEDDINGS})
    source: ClassVar[str] = (
        "Sener and Savarese, Active learning for convolutional neural networks: a core-set approach,"
        " ICLR 2018, algorithm 1; Gonzalez, Clustering to minimize the maximum intercluster distance, 1985"
    )

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Take the farthest row `k` times."""
        del rng
        emb_BD = window.emb_BD.astype(np.float32, copy=False)
        indices = np.empty(k, np.int64)
        squared_k = np.empty(k, np.float64)
        if len(window.covered_ND):
            nearest_B, done = _to_nearest(emb_BD, window.covered_ND), 0
        else:
            first = _most_central(emb_BD)
            nearest_B, done = _to_one(emb_BD, emb_BD[first]), 1
            indices[0], squared_k[0] = first, nearest_B.max()
            nearest_B[first] = -1.0
        for turn in range(done, k):
            farthest = int(nearest_B.argmax())
            indices[turn], squared_k[turn] = farthest, nearest_B[farthest]
            if turn + 1 < k:
                np.minimum(nearest_B, _to_one(emb_BD, emb_BD[farthest]), out=nearest_B)
                nearest_B[farthest] = -1.0
        return Selection(indices, np.sqrt(squared_k))


def _blocks(rows: int, width: int) -> Iterator[slice]:
    step = max(1, BLOCK_VALUES // max(1, width))
    return (slice(start, start + step) for start in range(0, rows, step))


def _most_central(emb_BD: Float32) -> int:
    """Return the row nearest to the mean."""
    mean_D = emb_BD.mean(axis=0, dtype=np.float64).astype(np.float32)
    return int(_to_one(emb_BD, mean_D).argmin())


def _to_one(emb_BD: Float32, point_D: Float32) -> Float32:
    """Return squared distances to one point, by differences: a duplicate is at exactly 0."""
    squared_B = np.empty(len(emb_BD), np.float32)
    for rows in _blocks(*emb_BD.shape):
        apart = emb_BD[rows] - point_D
        np.einsum("bd,bd->b", apart, apart, out=squared_B[rows])
    return squared_B


def _to_nearest(emb_BD: Float32, covered_ND: Floats) -> Float32:
    """Return squared distances to the nearest covered row.

    The nearest is found by matrix product (fast, rounds), its distance then taken by differences (exact).
    """
    width = emb_BD.shape[1]
    squared_B = np.full(len(emb_BD), np.inf, np.float32)
    mean_D = emb_BD.mean(axis=0, dtype=np.float64).astype(np.float32)
    for some in _blocks(len(covered_ND), max(width, 1024)):
        covered = covered_ND[some].astype(np.float32, copy=False)
        centred = covered - mean_D
        norms = np.einsum("nd,nd->n", centred, centred)
        for rows in _blocks(len(emb_BD), max(width, len(covered))):
            block = emb_BD[rows]
            nearest = (norms - 2.0 * ((block - mean_D) @ centred.T)).argmin(axis=1)
            apart = block - covered[nearest]
            np.minimum(squared_B[rows], np.einsum("bd,bd->b", apart, apart), out=squared_B[rows])
    return squared_B
