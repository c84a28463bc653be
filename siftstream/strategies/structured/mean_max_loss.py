"""Mean max loss: the samples that would cost most if they had but one of their predicted classes."""

from typing import ClassVar

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.structured.multi_label import Float64, MultiLabel


@dataclass(frozen=True)
class MeanMaxLoss(MultiLabel):
    """Score the mean over the predicted classes j of the hinge loss of the answer "j and no other".

    One answer's loss is 2 (1 + sum p - 2 p_j), as in max_loss; the mean over the predicted classes
    therefore 2 (1 + sum p - 2 mean p_j). Where no class is predicted, the likeliest counts as predicted.

    >>> MeanMaxLoss().of(np.array([[1.0, 0.0, 0.0], [1.0, 0.75, 0.0], [0.25, 0.0, 0.0]])).tolist()
    [0.0, 2.0, 1.5]
    """

    name: ClassVar[str] = "mean_max_loss"
    when: ClassVar[str] = (
        "Multi-label where samples have several classes; it likes samples with many, even certain ones."
    )
    source: ClassVar[str] = (
        "Li, Wang and Sung, Multilabel SVM active learning for image classification, ICIP 2004"
    )

    threshold: float = Field(
        default=0.5, ge=0.0, le=1.0, description="Probability from which on a class counts as predicted."
    )

    def of(self, probs_BC: Float64) -> Float64:
        """Return the mean loss of each row's predicted classes, each alone, [B]."""
        predicted = probs_BC >= self.threshold
        count_B = predicted.sum(axis=1)
        likely_B = np.where(predicted, probs_BC, 0.0).sum(axis=1) / np.maximum(count_B, 1)
        likely_B = np.where(count_B > 0, likely_B, probs_BC.max(axis=1))
        return 2.0 * (1.0 + probs_BC.sum(axis=1) - 2.0 * likely_B)
