"""Random: every sample equally likely; the baseline that others must beat, and a cold start."""

from typing import ClassVar

import numpy as np
from pydantic.dataclasses import dataclass

from siftstream.strategies.selection import Selection
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class Random(Strategy):
    """Each row is chosen with probability k / B; scores are uniform draws from [0, 1).

    >>> window = Window(np.full((5, 1, 2), 0.5, np.float32), np.zeros((5, 0), np.float32))
    >>> sorted(Random().select(window, 5, np.random.default_rng(0)).indices.tolist())
    [0, 1, 2, 3, 4]
    """

    name: ClassVar[str] = "random"
    family: ClassVar[Family] = Family.BASELINE
    cost: ClassVar[str] = "B log B"
    when: ClassVar[str] = "Always, as the baseline with the same number of labels, and for audits."
    source: ClassVar[str] = "simple random sampling without replacement: Cochran, Sampling techniques, 1977"
    nested: ClassVar[bool] = True

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Take the first `k` rows, whose order the seed gave."""
        return Selection(np.arange(k), -np.sort(-rng.random(len(window)))[:k])
