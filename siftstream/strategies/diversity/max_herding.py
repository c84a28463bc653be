"""Max-herding: each next row raises the generalised coverage of the window most."""

from typing import ClassVar

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.distances import Floats, squared_distances
from siftstream.strategies.diversity.coverage import Coverage, Likeness, unit_rows
from siftstream.strategies.diversity.lazy import Float32
from siftstream.strategies.steady import steady
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class MaxHerding(Coverage):
    """Raise the mean over references of max k(x, x') over chosen and covered rows x', k a Gaussian kernel.

    k(x, x') = exp(-|x - x'|^2 / bandwidth^2) on rows of length 1. Greedy, as the authors' algorithm, but
    over a sample of references instead of all rows. Time O(B R D), where R is `references`, and again after
    each R / 2 rows; memory at most 256 MiB of similarities and a few blocks.

    >>> points = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 2.0]], np.float32)
    >>> window = Window(np.ones((3, 1, 1), np.float32), points)
    >>> chosen = MaxHerding().select(window, 2, np.random.default_rng(0))
    >>> chosen.scores.round(4).tolist()  # (2 + exp(-2)) / 3, then what is left to 1
    [0.7118, 0.2882]
    """

    name: ClassVar[str] = "max_herding"
    when: ClassVar[str] = "For few labels on good embeddings, where ProbCover's one radius is hard to set."
    source: ClassVar[str] = (
        "Bae, Noh and Sutherland, Generalized coverage for more robust low-budget active learning,"
        " ECCV 2024, equation 2 and algorithm 1"
    )

    bandwidth: float = Field(
        default=1.0, gt=0.0, allow_inf_nan=False, description="Distance at which similarity falls to 1/e."
    )
    normalize: bool = Field(default=True, description="Whether rows are brought to length 1 first.")

    def likeness(self, window: Window, rng: np.random.Generator) -> Likeness:
        """Return the kernel."""
        del window, rng
        return _Gaussian(self.bandwidth, self.normalize)


class _Gaussian(Likeness):
    def __init__(self, bandwidth: float, normalize: bool) -> None:
        self.bandwidth, self.normalize = bandwidth, normalize

    def between(self, a_ID: Floats, b_JD: Floats) -> Float32:
        if self.normalize:
            a_ID, b_JD = unit_rows(a_ID), unit_rows(b_JD)
        squared_IJ = squared_distances(a_ID, b_JD, None if self.normalize else b_JD[0].astype(np.float64))
        return steady(np.exp(-(squared_IJ.astype(np.float64) / self.bandwidth**2)))
