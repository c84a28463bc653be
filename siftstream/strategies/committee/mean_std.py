"""Mean standard deviation: the samples whose numbers differ most from member to member."""

from typing import ClassVar

import numpy as np
from pydantic.dataclasses import dataclass

from siftstream.strategies.committee.base import ROUNDING, Committee, Float64, consensus


@dataclass(frozen=True)
class MeanStd(Committee):
    """Score the standard deviation over the members (divided by M), averaged over the classes.

    From exactly 0 (members agree) to 1/2. It reads no logarithm, so it serves a regression too: where a
    model's outputs are values instead of probabilities, this is the committee's spread.

    >>> MeanStd.of(np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.9, 0.1], [0.7, 0.3]]])).round(6).tolist()
    [0.5, 0.1]
    """

    name: ClassVar[str] = "mean_std"
    when: ClassVar[str] = (
        "Passes with dropout in segmentation or regression; between many classes most of the mean is of none."
    )
    source: ClassVar[str] = (
        "Kampffmeyer, Salberg and Jenssen, Semantic segmentation of small objects and modeling of"
        " uncertainty, CVPR workshops 2016; Kendall, Badrinarayanan and Cipolla, Bayesian SegNet, 2015"
    )

    @staticmethod
    def of(probs_BMC: Float64) -> Float64:
        """Return the mean over the classes of each row's standard deviation over the members, [B]."""
        apart_BMC = probs_BMC - consensus(probs_BMC)[:, None, :]
        variance_BC = np.einsum("bmc,bmc->bc", apart_BMC, apart_BMC) / probs_BMC.shape[1]
        spread_B = np.sqrt(variance_BC).mean(axis=1)
        return np.where(spread_B < ROUNDING, 0.0, spread_B)
