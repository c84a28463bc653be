"""Entropy: the samples whose class distribution is most spread out."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from siftstream.strategies.uncertainty.base import Probs, Uncertainty


@dataclass(frozen=True)
class Entropy(Uncertainty):
    """Score -sum p log p in nats, from exactly 0 (one-hot) to log C (uniform).

    >>> Entropy.of(np.array([[0.5, 0.5], [1.0, 0.0]])).round(6).tolist()
    [0.693147, 0.0]
    """

    name: ClassVar[str] = "entropy"
    when: ClassVar[str] = "A trained, calibrated model with few classes; never a cold one: worse than random."
    source: ClassVar[str] = (
        "Shannon, A mathematical theory of communication, 1948, section 6;"
        " Settles, Active learning literature survey, 2009, section 3.1"
    )

    @staticmethod
    def of(probs_BC: Probs) -> NDArray[np.float64]:
        """Return the Shannon entropy of each row in nats; 0 log 0 counts as 0."""
        return entropy(probs_BC)


def entropy(probs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Shannon entropy in nats along the last axis; of a one-hot row exactly 0, never below."""
    logs = np.zeros_like(probs)
    np.log(probs, out=logs, where=probs > 0)
    logs *= probs
    return np.maximum(-logs.sum(axis=-1), 0.0)
