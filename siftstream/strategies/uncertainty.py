"""What the uncertainty strategies share: a score a sample from its class probabilities, best k taken."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from siftstream.strategies.base import Need, Selection, Strategy, Window, take_best

BLOCK_VALUES = 1 << 22  # probabilities converted at once: bounds the memory beside the window to 32 MiB


@dataclass(frozen=True)
class Uncertainty(Strategy):
    """Rank by a score of the mean probabilities over the head's members; O(B * M * C), rng unused."""

    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBS})

    @staticmethod
    @abstractmethod
    def score(probs_BC: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how unsure each row of class probabilities is; higher is less sure."""

    def score_window(self, window: Window) -> NDArray[np.float64]:
        """Return the score of every sample of the window, [B]."""
        _, members, classes = window.probs_BMC.shape
        block = max(1, BLOCK_VALUES // (members * classes))
        scores_B = np.empty(len(window), np.float64)
        for start in range(0, len(window), block):
            rows = slice(start, start + block)
            scores_B[rows] = self.score(window.probs_BMC[rows].mean(axis=1, dtype=np.float64))
        return scores_B

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Take the `k` least sure rows."""
        del rng
        return take_best(self.score_window(window), k)
