"""BALD: the samples on which each member is sure, but of different classes."""

from typing import ClassVar

import numpy as np
from pydantic.dataclasses import dataclass

from siftstream.strategies.committee.base import ROUNDING, Committee, Float64, consensus, xlogx


@dataclass(frozen=True)
class BALD(Committee):
    """Score H(mean of the members) - mean of H(member) in nats: what the label would tell of the members.

    It is the mutual information of label and member, from exactly 0 (members agree) to log min(M, C).

    >>> probs_BMC = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]])
    >>> BALD.of(probs_BMC).round(6).tolist()
    [0.693147, 0.0]
    """

    name: ClassVar[str] = "bald"
    when: ClassVar[str] = (
        "Noisy labels or classes that overlap: it leaves out what no label settles; large batches repeat"
        " themselves, so power_bald or batch_bald there."
    )
    source: ClassVar[str] = (
        "Houlsby, Huszar, Ghahramani and Lengyel, Bayesian active learning for classification and preference"
        " learning, 2011, equation 2"
    )

    @staticmethod
    def of(probs_BMC: Float64) -> Float64:
        """Return the mutual information of each row's label and the member, in nats, [B]."""
        return mutual_information(probs_BMC)


def mutual_information(probs_BMC: Float64) -> Float64:
    """Return H(mean) - mean H = mean KL(member || mean) of each row in nats, [B]; 0 where all agree."""
    size, members, _ = probs_BMC.shape
    shared_B = xlogx(consensus(probs_BMC)).sum(axis=1)
    own_B = xlogx(probs_BMC).reshape(size, -1).sum(axis=1) / members
    gained_B = own_B - shared_B
    return np.where(gained_B < ROUNDING, 0.0, gained_B)
