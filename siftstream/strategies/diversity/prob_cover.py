"""ProbCover: each next row has the most uncovered rows within a radius around it."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.blocks import blocks
from siftstream.strategies.clustering import k_means
from siftstream.strategies.distances import Floats, centre_of, squared_distances
from siftstream.strategies.diversity.coverage import Coverage, Likeness
from siftstream.strategies.diversity.lazy import Float32
from siftstream.strategies.window import Window

BALLS = 500  # rows whose balls are looked at to estimate the purity


@dataclass(frozen=True)
class ProbCover(Coverage):
    """Raise the share of references within `delta` of a chosen or covered row.

    Without `delta`, it is the largest radius at which a share `purity` of balls around rows hold rows of one
    k-means cluster only, with as many clusters as classes (two at least); 500 balls are looked at. The
    authors search a grid of radii for it; here it is read off the distances to the nearest row of another
    cluster. Time O(B R D), where R is `references`, and again after each R / 2 rows; memory at most
    256 MiB of similarities and a few blocks.

    >>> points = np.array([[0.0], [1.0], [2.0], [9.0]], np.float32)
    >>> window = Window(np.ones((4, 1, 1), np.float32), points)
    >>> chosen = ProbCover(delta=1.0).select(window, 2, np.random.default_rng(0))
    >>> chosen.indices.tolist(), chosen.scores.tolist()
    ([1, 3], [0.75, 0.25])
    """

    name: ClassVar[str] = "prob_cover"
    when: ClassVar[str] = (
        "For few labels on embeddings where classes are clusters; its radius must fit, or rows repeat."
    )
    source: ClassVar[str] = (
        "Yehuda, Dekel, Hacohen and Weinshall, Active learning through a covering lens, NeurIPS 2022,"
        " algorithm 1 and section 3.2"
    )

    delta: float | None = Field(
        default=None,
        gt=0.0,
        allow_inf_nan=False,
        description="Radius of the balls, in the embeddings' distance; without it, found by `purity`.",
    )
    purity: float = Field(
        default=0.95, gt=0.0, le=1.0, description="Share of balls that shall hold one pseudo-class only."
    )

    def likeness(self, window: Window, rng: np.random.Generator) -> Likeness:
        """Return whether points are within the radius."""
        squared = self._pure(window, rng) if self.delta is None else self.delta**2
        return _Within(squared, centre_of(window.emb_BD))

    def _pure(self, window: Window, rng: np.random.Generator) -> float:
        """Return the square of the radius at which balls are just pure enough."""
        emb_BD = window.emb_BD
        clusters = min(max(2, window.classes), len(emb_BD))
        cluster_B = k_means(emb_BD, clusters, rng).cluster_B
        balls = np.sort(rng.permutation(len(emb_BD))[:BALLS])
        free_I = np.sort(_to_others(emb_BD, cluster_B, balls))
        # A ball is pure while its radius is below the distance to the nearest row of another cluster.
        impure = min(int((1.0 - self.purity) * len(free_I)), len(free_I) - 1)
        return float(np.nextafter(free_I[impure], np.float32(0.0)))


class _Within(Likeness):
    def __init__(self, squared: float, centre_D: NDArray[np.float64]) -> None:
        self.squared, self.centre_D = np.float32(squared), centre_D

    def between(self, a_ID: Floats, b_JD: Floats) -> Float32:
        return (squared_distances(a_ID, b_JD, self.centre_D) <= self.squared).astype(np.float32)


def _to_others(emb_BD: Floats, cluster_B: NDArray[np.int64], balls: NDArray[np.int64]) -> Float32:
    """Return the squared distance of some rows to the nearest row of another cluster, else infinity."""
    squared_I = np.full(len(balls), np.inf, np.float32)
    centre_D = centre_of(emb_BD)
    for part in blocks(len(emb_BD), max(len(balls), emb_BD.shape[1])):
        squared_IJ = squared_distances(emb_BD[balls], emb_BD[part], centre_D)
        squared_IJ[cluster_B[balls][:, None] == cluster_B[part]] = np.inf
        np.minimum(squared_I, squared_IJ.min(axis=1), out=squared_I)
    return squared_I
