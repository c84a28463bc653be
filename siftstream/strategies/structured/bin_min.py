"""BinMin: the samples that have one class which is all but undecided."""

from typing import ClassVar

import numpy as np
from pydantic.dataclasses import dataclass

from siftstream.strategies.structured.multi_label import Float64, MultiLabel


@dataclass(frozen=True)
class BinMin(MultiLabel):
    """Score 1 - min |2 p - 1| over the classes, from 0 (each is certain) to 1 (one is at a half).

    The smallest binary margin: the paper takes it from the distance to the hyperplane of each class.

    >>> BinMin().of(np.array([[0.9, 0.5, 0.1], [0.75, 1.0, 0.0], [1.0, 1.0, 0.0]])).tolist()
    [1.0, 0.5, 0.0]
    """

    name: ClassVar[str] = "bin_min"
    when: ClassVar[str] = (
        "Multi-label with few classes; among hundreds, some class is undecided in every sample."
    )
    source: ClassVar[str] = (
        "Brinker, On active learning in multi-label classification, From Data and Information Analysis to"
        " Knowledge Engineering, 2006"
    )

    def of(self, probs_BC: Float64) -> Float64:
        """Return 1 minus the smallest binary margin of each row, [B]."""
        return 1.0 - np.abs(2.0 * probs_BC - 1.0).min(axis=1)
