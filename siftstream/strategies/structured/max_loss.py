"""Max loss: the samples that would cost most if they had their likeliest class alone."""

from typing import ClassVar

from pydantic.dataclasses import dataclass

from siftstream.strategies.structured.multi_label import Float64, MultiLabel


@dataclass(frozen=True)
class MaxLoss(MultiLabel):
    """Score the hinge loss, summed over the classes, of the answer "the likeliest class and no other".

    A class's output is f = 2 p - 1, so the loss of a yes is 2 (1 - p), of a no 2 p; over a row, with j the
    likeliest, 2 (1 + sum p - 2 p_j): 0 where the model is certain of exactly one class.

    >>> import numpy as np
    >>> MaxLoss().of(np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [1.0, 1.0, 0.0]])).tolist()
    [0.0, 2.0, 2.0]
    """

    name: ClassVar[str] = "max_loss"
    when: ClassVar[str] = (
        "Multi-label where most samples have one class; where many have several, mean_max_loss."
    )
    source: ClassVar[str] = (
        "Li, Wang and Sung, Multilabel SVM active learning for image classification, ICIP 2004"
    )

    def of(self, probs_BC: Float64) -> Float64:
        """Return the loss of each row's likeliest class alone, [B]."""
        return 2.0 * (1.0 + probs_BC.sum(axis=1) - 2.0 * probs_BC.max(axis=1))
