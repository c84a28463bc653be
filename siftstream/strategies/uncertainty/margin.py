"""Margin: the samples whose two likeliest classes are closest."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from siftstream.strategies.uncertainty.base import Probs, Uncertainty


@dataclass(frozen=True)
class Margin(Uncertainty):
    """Score 1 - (p(likeliest) - p(second)), from 0 (certain) to 1 (a tie).

    >>> Margin.of(np.array([[0.5, 0.25, 0.25], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])).tolist()
    [0.75, 1.0, 0.0]
    """

    name: ClassVar[str] = "margin"
    when: ClassVar[str] = "The first choice among cheap ones: it asks where a label moves the border."
    source: ClassVar[str] = (
        "Scheffer, Decomain and Wrobel, Active hidden Markov models for information extraction, IDA 2001"
    )

    @staticmethod
    def of(probs_BC: Probs) -> NDArray[np.float64]:
        """Return 1 minus the gap between the two highest probabilities of each row."""
        if probs_BC.shape[1] == 1:
            return 1.0 - probs_BC[:, 0]
        top_two = np.partition(probs_BC, -2, axis=1)[:, -2:]
        return 1.0 - (top_two[:, 1] - top_two[:, 0])
