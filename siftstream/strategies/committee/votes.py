"""Votes: each member gives one vote to its likeliest class."""

import numpy as np
from numpy.typing import NDArray

from siftstream.strategies.committee.base import Float64


def count_votes(probs_BMC: Float64) -> NDArray[np.int64]:
    """Return how many members vote for each class, [B, C]; a member's tie goes to its first class.

    >>> count_votes(np.array([[[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]]])).tolist()
    [[2, 1]]
    """
    size, _, classes = probs_BMC.shape
    votes_BM = probs_BMC.argmax(axis=2) + np.arange(size)[:, None] * classes
    return np.bincount(votes_BM.ravel(), minlength=size * classes).reshape(size, classes)
