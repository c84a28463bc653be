"""Expected gradient length: the samples whose label would push the last layer hardest."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from siftstream.strategies.needs import Need
from siftstream.strategies.strategy import Family, RowStrategy
from siftstream.strategies.uncertainty.base import Probs, mean_probs
from siftstream.strategies.window import Floats, Window


@dataclass(frozen=True)
class ExpectedGradientLength(RowStrategy):
    """Score sum_c p_c ||p - e_c|| ||(h, 1)||, p the mean probabilities over the members, h the embedding.

    The gradient of the cross-entropy with label c in the weights and bias of the last layer is the outer
    product of p - e_c and (h, 1), so its length is the product of theirs. Time O(B (M C + D)).

    >>> length = ExpectedGradientLength.of(np.array([[0.5, 0.5]]), np.array([[3.0, 4.0]], np.float32))
    >>> length.round(4).tolist()  # sqrt(1/2) sqrt(26)
    [3.6056]
    """

    name: ClassVar[str] = "expected_gradient_length"
    family: ClassVar[Family] = Family.EXPECTED_CHANGE
    needs: ClassVar[frozenset[Need]] = frozenset({Need.GRADIENT})
    cost: ClassVar[str] = "B (M C + D)"
    when: ClassVar[str] = (
        "As uncertainty, where the embedding's length means something; long embeddings are outliers often."
    )
    source: ClassVar[str] = (
        "Settles, Craven and Ray, Multiple-instance active learning, NIPS 2007, section 3.2; Settles, Active"
        " learning literature survey, 2009, section 3.3"
    )

    @staticmethod
    def of(probs_BC: Probs, emb_BD: Floats) -> NDArray[np.float64]:
        """Return the expected length of each row, [B]."""
        powers_B1 = np.square(probs_BC).sum(axis=1, keepdims=True)
        apart_BC = np.sqrt(np.maximum(powers_B1 - 2.0 * probs_BC + 1.0, 0.0))
        length_B = np.sqrt(np.square(emb_BD.astype(np.float64)).sum(axis=1) + 1.0)
        return (probs_BC * apart_BC).sum(axis=1) * length_B

    def score_rows(self, window: Window) -> NDArray[np.float64]:
        """Return the score of each row of a block, [b]."""
        return self.of(mean_probs(window), window.emb_BD)

    def values_per_row(self, window: Window) -> int:
        """Count probabilities and embedding."""
        return max(1, window.members * window.classes + window.dim)
