"""Entropy: the samples whose class distribution is most spread out."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from siftstream.strategies.uncertainty import Uncertainty


@dataclass(frozen=True)
class Entropy(Uncertainty):
    """Score -sum p log p in nats, from exactly 0 (one-hot) to log C (uniform).

    >>> Entropy.score(np.array([[0.5, 0.5], [1.0, 0.0]])).round(6).tolist()
    [0.693147, 0.0]
    """

    name: ClassVar[str] = "entropy"
    source: ClassVar[str] = (
        "Shannon, A mathematical theory of communication, 1948, section 6;"
        " Settles, Active learning literature survey, 2009, section 3.1"
    )

    @staticmethod
    def score(probs_BC: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the Shannon entropy of each row in nats; 0 log 0 counts as 0."""
        logs = np.zeros_like(probs_BC)
        np.log(probs_BC, out=logs, where=probs_BC > 0)
        return np.maximum(-(probs_BC * logs).sum(axis=1), 0.0)
