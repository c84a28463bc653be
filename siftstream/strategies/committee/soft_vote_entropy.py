"""Soft vote entropy: the samples whose class distribution, averaged over the members, is most spread out."""

from typing import ClassVar

import numpy as np
from pydantic.dataclasses import dataclass

from siftstream.strategies.committee.base import Committee, Float64, consensus, xlogx


@dataclass(frozen=True)
class SoftVoteEntropy(Committee):
    """Score -sum p log p in nats of the consensus p, the mean of the members' probabilities.

    It is the entropy of the mean, so the number that `entropy` gives over the same members; it stands here
    under the committee's name, and refuses a model of one member.

    >>> SoftVoteEntropy.of(np.array([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]])).round(6).tolist()
    [0.693147, 0.0]
    """

    name: ClassVar[str] = "soft_vote_entropy"
    when: ClassVar[str] = (
        "Calibrated members whose doubt counts besides their votes; it also asks where all are"
        " equally unsure."
    )
    source: ClassVar[str] = "Settles, Active Learning, 2012, chapter 3"

    @staticmethod
    def of(probs_BMC: Float64) -> Float64:
        """Return the entropy of each row's consensus in nats, [B]; of members all one-hot alike exactly 0."""
        return np.maximum(-xlogx(consensus(probs_BMC)).sum(axis=1), 0.0)
