"""Least confidence: the samples whose likeliest class is least likely."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from siftstream.strategies.uncertainty import Uncertainty


@dataclass(frozen=True)
class LeastConfidence(Uncertainty):
    """Score 1 - p(likeliest), from 0 (certain) to 1 - 1/C.

    >>> LeastConfidence.score(np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])).tolist()
    [0.5, 0.0]
    """

    name: ClassVar[str] = "least_confidence"
    source: ClassVar[str] = (
        "Lewis and Gale, A sequential algorithm for training text classifiers, SIGIR 1994;"
        " Settles, Active learning literature survey, 2009, section 3.1"
    )

    @staticmethod
    def score(probs_BC: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 1 minus the highest probability of each row."""
        return 1.0 - probs_BC.max(axis=1)
