"""Mean binary entropy: the samples whose classes are undecided on the whole."""

from typing import ClassVar

import numpy as np
from pydantic.dataclasses import dataclass

from siftstream.strategies.structured.multi_label import Float64, MultiLabel
from siftstream.strategies.uncertainty.entropy import entropy


@dataclass(frozen=True)
class MeanBinaryEntropy(MultiLabel):
    """Score the mean over the classes of -p log p - (1 - p) log(1 - p) in nats, from 0 to log 2.

    >>> MeanBinaryEntropy().of(np.array([[0.5, 0.5], [0.5, 1.0], [0.0, 1.0]])).round(6).tolist()
    [0.693147, 0.346574, 0.0]
    """

    name: ClassVar[str] = "mean_binary_entropy"
    when: ClassVar[str] = "Multi-label, calibrated, with many classes; bin_min where one class is enough."
    source: ClassVar[str] = (
        "Shannon, A mathematical theory of communication, 1948, section 6, of each class; averaged over the"
        " classes as in Esuli and Sebastiani, Active learning strategies for multi-label text"
        " classification, ECIR 2009"
    )

    def of(self, probs_BC: Float64) -> Float64:
        """Return the mean entropy of each row's classes in nats, [B]."""
        return entropy(np.stack([probs_BC, 1.0 - probs_BC], axis=2)).mean(axis=1)
