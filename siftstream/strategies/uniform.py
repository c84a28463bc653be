"""Random: every sample equally likely; the baseline that others must beat, and the cold start."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from siftstream.strategies.base import Need, Selection, Strategy, Window, take_best


@dataclass(frozen=True)
class Random(Strategy):
    """Score one uniform draw from [0, 1) a row: each row is chosen with probability k / B.

    >>> window = Window(np.full((5, 1, 2), 0.5, np.float32), np.zeros((5, 0), np.float32))
    >>> Random().select(window, 2, np.random.default_rng(0)).indices.tolist()
    [4, 0]
    """

    name: ClassVar[str] = "random"
    needs: ClassVar[frozenset[Need]] = frozenset()
    source: ClassVar[str] = "simple random sampling without replacement: Cochran, Sampling techniques, 1977"

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Take the `k` highest draws."""
        return take_best(rng.random(len(window)), k)
