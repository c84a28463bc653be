"""Vote entropy: the samples over whose class the members' votes are most spread."""

from typing import ClassVar

import numpy as np
from pydantic.dataclasses import dataclass

from siftstream.strategies.committee.base import Committee, Float64, xlogx
from siftstream.strategies.committee.votes import count_votes


@dataclass(frozen=True)
class VoteEntropy(Committee):
    """Score -sum v/M log(v/M) in nats over the classes, v votes each: from 0 (unanimous) to log min(M, C).

    The paper divides by log M, which changes no ranking. A member's tie is a vote for its first class.

    >>> probs_BMC = np.array([[[0.9, 0.1], [0.6, 0.4]], [[0.9, 0.1], [0.4, 0.6]]])
    >>> VoteEntropy.of(probs_BMC).round(6).tolist()
    [0.0, 0.693147]
    """

    name: ClassVar[str] = "vote_entropy"
    when: ClassVar[str] = (
        "Many members that are not calibrated, so that only votes count; with few members most rows tie."
    )
    source: ClassVar[str] = (
        "Dagan and Engelson, Committee-based sampling for training probabilistic classifiers, ICML 1995"
    )

    @staticmethod
    def of(probs_BMC: Float64) -> Float64:
        """Return the entropy of each row's votes in nats, [B]."""
        members = probs_BMC.shape[1]
        terms = np.abs(xlogx(np.arange(members + 1) / members))  # a class with v votes adds terms[v]
        return terms[count_votes(probs_BMC)].sum(axis=1)
