"""What the committee strategies share: each row's members are compared with each other, in one pass."""

from abc import abstractmethod
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from siftstream.strategies.needs import Need
from siftstream.strategies.strategy import Family, RowStrategy
from siftstream.strategies.window import Window

Float64 = NDArray[np.float64]
ROUNDING: Final = 1e-12  # less disagreement than this is the rounding of members that agree, so it is 0
CACHED: Final = 8  # parts of a block: several passes over numbers that the processor's cache still holds


@dataclass(frozen=True)
class Committee(RowStrategy):
    """Ranks by how far the members of the head, or the passes with dropout, disagree on a row."""

    family: ClassVar[Family] = Family.COMMITTEE
    needs: ClassVar[frozenset[Need]] = frozenset({Need.MEMBERS})
    cost: ClassVar[str] = "B M C"

    @staticmethod
    @abstractmethod
    def of(probs_BMC: Float64) -> Float64:
        """Return how far the members disagree on each row, [B]; higher is further."""

    def score_rows(self, window: Window) -> Float64:
        """Return the score of each row of a block, [b]."""
        return self.of(window.probs_BMC.astype(np.float64, order="C"))

    def values_per_row(self, window: Window) -> int:
        """Return how many numbers a row's score is made of, for the size of a block."""
        return super().values_per_row(window) * CACHED


def consensus(probs_BMC: Float64) -> Float64:
    """Return the mean over the members, [B, C]; of float32 members that agree it is exactly each of them."""
    return np.einsum("bmc->bc", probs_BMC) / probs_BMC.shape[1]


def xlogx(values: Float64) -> Float64:
    """Return x log x of each value in nats, where 0 log 0 is 0.

    >>> xlogx(np.array([0.0, 1.0, np.e])).round(6).tolist()
    [-0.0, 0.0, 2.718282]
    """
    logs = np.maximum(values, np.finfo(np.float64).tiny)
    np.log(logs, out=logs)
    logs *= values
    return logs


def normalised(probs: NDArray[np.floating[Any]]) -> Float64:
    """Return probabilities in float64 that sum to 1 along the last axis; those that are all 0 become uniform.

    Joint entropies need it: float16 rows miss 1 by a thousandth, which is more than the gains compared.
    """
    wide = probs.astype(np.float64, order="C")
    total = wide.sum(axis=-1, keepdims=True)
    return np.where(total > 0, wide / np.where(total > 0, total, 1.0), 1.0 / max(1, wide.shape[-1]))
