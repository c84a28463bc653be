"""Least confidence: the samples whose likeliest class is least likely."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from siftstream.strategies.uncertainty.base import Probs, Uncertainty


@dataclass(frozen=True)
class LeastConfidence(Uncertainty):
    """Score 1 - p(likeliest), from 0 (certain) to 1 - 1/C.

    >>> LeastConfidence.of(np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])).tolist()
    [0.5, 0.0]
    """

    name: ClassVar[str] = "least_confidence"
    when: ClassVar[str] = "A trained, calibrated model; never a cold one, where it did worse than random."
    source: ClassVar[str] = (
        "Lewis and Gale, A sequential algorithm for training text classifiers, SIGIR 1994;"
        " Settles, Active learning literature survey, 2009, section 3.1"
    )

    @staticmethod
    def of(probs_BC: Probs) -> NDArray[np.float64]:
        """Return 1 minus the highest probability of each row."""
        return 1.0 - probs_BC.max(axis=1)
