"""Mean KL: the samples on which the members' distributions lie farthest from their mean."""

from typing import ClassVar

from pydantic.dataclasses import dataclass

from siftstream.strategies.committee.bald import mutual_information
from siftstream.strategies.committee.base import Committee, Float64


@dataclass(frozen=True)
class MeanKL(Committee):
    """Score the mean over the members of KL(member || mean of the members) in nats.

    Written out, sum p log(p / mean) is BALD's H(mean) - mean H: the two give the same numbers, each under
    the name that its field knows it by.

    >>> import numpy as np
    >>> MeanKL.of(np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]])).round(6).tolist()
    [0.693147, 0.0]
    """

    name: ClassVar[str] = "mean_kl"
    when: ClassVar[str] = "As bald, whose numbers it gives: members that are sure of different classes."
    source: ClassVar[str] = (
        "McCallum and Nigam, Employing EM and pool-based active learning for text classification, ICML 1998"
    )

    @staticmethod
    def of(probs_BMC: Float64) -> Float64:
        """Return the mean Kullback-Leibler divergence of each row's members to their mean, in nats, [B]."""
        return mutual_information(probs_BMC)
