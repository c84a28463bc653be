"""What the multi-label strategies share: each class is a yes or no by itself, so a row need not sum to 1."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from siftstream.strategies.needs import Need
from siftstream.strategies.strategy import Family, RowStrategy
from siftstream.strategies.uncertainty.base import mean_probs
from siftstream.strategies.window import Window

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class MultiLabel(RowStrategy):
    """Ranks by the probability of each class, averaged over the members."""

    family: ClassVar[Family] = Family.STRUCTURED
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBS})
    cost: ClassVar[str] = "B M C"

    @abstractmethod
    def of(self, probs_BC: Float64) -> Float64:
        """Return how useful each row is, [B], from the probability of each class, 0 to 1."""

    def score_rows(self, window: Window) -> Float64:
        """Return the score of each row of a block, [b]."""
        return self.of(mean_probs(window))
