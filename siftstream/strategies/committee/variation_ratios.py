"""Variation ratios: the samples on which the most members vote against the majority."""

from typing import ClassVar

from pydantic.dataclasses import dataclass

from siftstream.strategies.committee.base import Committee, Float64
from siftstream.strategies.committee.votes import count_votes


@dataclass(frozen=True)
class VariationRatios(Committee):
    """Score 1 - (votes of the class with the most) / M, from 0 (unanimous) to 1 - 1/min(M, C).

    >>> import numpy as np
    >>> probs_BMC = np.array([[[0.9, 0.1], [0.6, 0.4]], [[0.9, 0.1], [0.4, 0.6]]])
    >>> VariationRatios.of(probs_BMC).tolist()
    [0.0, 0.5]
    """

    name: ClassVar[str] = "variation_ratios"
    when: ClassVar[str] = (
        "Passes with dropout, twenty or more, in a deep classifier; with few members most rows tie."
    )
    source: ClassVar[str] = (
        "Freeman, Elementary applied statistics, 1965; Gal, Islam and Ghahramani, Deep Bayesian active"
        " learning with image data, ICML 2017, section 4"
    )

    @staticmethod
    def of(probs_BMC: Float64) -> Float64:
        """Return the share of each row's members that vote against the majority, [B]."""
        return 1.0 - count_votes(probs_BMC).max(axis=1) / probs_BMC.shape[1]
