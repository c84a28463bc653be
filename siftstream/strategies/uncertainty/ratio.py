"""Ratio of confidence: the samples whose second likeliest class is almost as likely as the first."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from siftstream.strategies.uncertainty.base import Probs, Uncertainty


@dataclass(frozen=True)
class Ratio(Uncertainty):
    """Score p(second) / p(likeliest), from 0 (certain) to 1 (a tie).

    >>> Ratio.of(np.array([[0.5, 0.25, 0.25], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])).tolist()
    [0.5, 1.0, 0.0]
    """

    name: ClassVar[str] = "ratio"
    when: ClassVar[str] = "As margin, where small probabilities differ by factors: many classes."
    source: ClassVar[str] = "Monarch, Human-in-the-Loop Machine Learning, 2021, section 3.2.3"

    @staticmethod
    def of(probs_BC: Probs) -> NDArray[np.float64]:
        """Return the second highest probability of each row over the highest; 0 / 0 counts as a tie, 1."""
        if probs_BC.shape[1] == 1:
            return np.zeros(len(probs_BC))
        top_two = np.partition(probs_BC, -2, axis=1)[:, -2:]
        ratio_B = np.ones(len(probs_BC))
        return np.divide(top_two[:, 0], top_two[:, 1], out=ratio_B, where=top_two[:, 1] > 0)
