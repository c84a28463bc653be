"""What a model answered to judged samples, as far as figures are made of it: three numbers a sample."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Answers:
    """The members' mean, reduced; B samples."""

    guesses_B: NDArray[np.int64]
    """The likeliest class."""
    confidence_B: NDArray[np.float64]
    """Its probability."""
    picked_B: NDArray[np.float64]
    """The probability of the true class."""

    @classmethod
    def of(cls, probs_BMC: NDArray[np.floating], targets_B: NDArray[np.integer]) -> Self:
        """Reduce what the members say.

        >>> Answers.of(np.array([[[0.8, 0.2]], [[0.7, 0.3]]]), np.array([0, 1])).picked_B.tolist()
        [0.8, 0.3]
        """
        probs_BC = probs_BMC[:, 0] if probs_BMC.shape[1] == 1 else probs_BMC.mean(axis=1, dtype=np.float32)
        guesses_B = probs_BC.argmax(axis=1)
        each = np.arange(len(targets_B))
        return cls(
            guesses_B.astype(np.int64),
            probs_BC[each, guesses_B].astype(np.float64),
            probs_BC[each, targets_B].astype(np.float64),
        )

    def at(self, rows: NDArray[np.intp]) -> Self:
        """Return some of the samples."""
        return type(self)(self.guesses_B[rows], self.confidence_B[rows], self.picked_B[rows])
