"""What the uncertainty strategies share: members averaged, a temperature, weights for rare classes."""

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.beside import Labelled
from siftstream.strategies.needs import Need
from siftstream.strategies.strategy import Family, RowStrategy
from siftstream.strategies.window import Window

Probs = NDArray[np.float64]


@dataclass(frozen=True)
class Uncertainty(RowStrategy):
    """Ranks by a score of the mean probabilities over the head's members."""

    family: ClassVar[Family] = Family.UNCERTAINTY
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBS})
    cost: ClassVar[str] = "B M C"

    temperature: float = Field(
        default=1.0,
        gt=0.0,
        allow_inf_nan=False,
        description="Divides the logits before they are scored: above 1 tames an overconfident model.",
    )
    class_weight: Literal["balanced"] | None = Field(
        default=None,
        description="`balanced` multiplies a score by the expected weight of the sample's class, which is"
        " inverse to how often the class stands among the labelled; none: all classes weigh the same.",
    )

    @property
    def reads(self) -> frozenset[Need]:
        """Probabilities, and the labelled samples where classes are weighted."""
        return self.needs | {Need.LABELLED} if self.class_weight else self.needs

    @staticmethod
    @abstractmethod
    def of(probs_BC: Probs) -> NDArray[np.float64]:
        """Return how unsure each row of class probabilities is, [B]; higher is less sure."""

    def score_rows(self, window: Window) -> NDArray[np.float64]:
        """Return the score of each row of a block, [b]."""
        probs_BC = mean_probs(window, self.temperature)
        scores_B = self.of(probs_BC)
        if self.class_weight and window.labelled is not None:
            scores_B = scores_B * (probs_BC * balanced_weights(window.labelled, window.classes)).sum(axis=1)
        return scores_B


def mean_probs(window: Window, temperature: float = 1.0) -> Probs:
    """Return the probabilities of each row, tempered, then averaged over the members, [B, C] in float64.

    With a temperature they come from the logits where the window has them, else from powers of the
    probabilities, which is the same but for rounding.
    """
    if temperature == 1.0:
        return window.probs_BMC.mean(axis=1, dtype=np.float64)
    if window.logits_BMC is not None:
        logits = window.logits_BMC.astype(np.float64) / temperature
        powers = np.exp(logits - logits.max(axis=2, keepdims=True))
    else:
        probs = window.probs_BMC.astype(np.float64)
        highest = np.maximum(probs.max(axis=2, keepdims=True), np.finfo(np.float64).tiny)
        powers = (probs / highest) ** (1.0 / temperature)
    return (powers / np.maximum(powers.sum(axis=2, keepdims=True), 1e-300)).mean(axis=1)


def balanced_weights(labelled: Labelled, classes: int) -> NDArray[np.float64]:
    """Return L / (C n_c) of each class, [C], as scikit-learn's `balanced`; n_c is at least 1.

    >>> from siftstream.strategies.beside import Labelled
    >>> seen = Labelled(np.zeros((4, 1)), np.array([0, 0, 0, 1]), np.full((4, 2), 0.5))
    >>> balanced_weights(seen, 2).round(3).tolist()
    [0.667, 2.0]
    """
    counts_C = np.maximum(labelled.counts(classes)[:classes], 1)
    return len(labelled) / (classes * counts_C)
