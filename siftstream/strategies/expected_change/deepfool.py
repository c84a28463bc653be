"""DeepFool: the samples nearest to a decision border, measured in the embedding space."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from siftstream.schemas.errors import StrategyError
from siftstream.strategies.beside import LinearHead
from siftstream.strategies.blocks import blocks
from siftstream.strategies.distances import squared_distances
from siftstream.strategies.needs import Need
from siftstream.strategies.steady import steady
from siftstream.strategies.strategy import Family, ScoreStrategy
from siftstream.strategies.window import Floats, Window


@dataclass(frozen=True)
class DeepFool(ScoreStrategy):
    """Score 1 / (1 + d), d the mean over the members of min over c of |f_c - f_y| / ||w_c - w_y||.

    f are the member's logits, y its likeliest class: d is the least that the embedding must move for another
    class, which for a linear head is exact. 1 is on the border, 0 where no other class can be reached.
    Time O(B M C (D + C)), memory a few blocks.

    >>> head = LinearHead(np.array([[[3.0, 0.0], [4.0, 0.0]]]), np.zeros((1, 2)))  # f_0 - f_1 = 3 a + 4 b
    >>> DeepFool.distances(head, np.array([[1.0, 0.5], [4.0, -3.0]])).tolist()  # 5 / 5 and 0 / 5
    [1.0, 0.0]
    """

    name: ClassVar[str] = "deepfool"
    family: ClassVar[Family] = Family.ADVERSARIAL
    needs: ClassVar[frozenset[Need]] = frozenset({Need.HEAD})
    cost: ClassVar[str] = "B M C (D + C)"
    when: ClassVar[str] = (
        "As margin, but not fooled by a badly scaled softmax: distances compare across pairs of classes."
    )
    source: ClassVar[str] = (
        "Moosavi-Dezfooli, Fawzi and Frossard, DeepFool: a simple and accurate method to fool deep neural"
        " networks, CVPR 2016, equation 8; Ducoffe and Precioso, Adversarial active learning for deep"
        " networks: a margin based approach, 2018"
    )

    def score(self, window: Window, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the score of each row, [B]."""
        del rng
        assert window.head is not None
        head, emb_BD = window.head, window.emb_BD
        if head.weights_MDC.shape[1] != window.dim:
            raise StrategyError(
                f"{self.name}: the head takes embeddings of {head.weights_MDC.shape[1]} numbers, and the"
                f" window's have {window.dim}; give the head that made the probabilities"
            )
        distance_B = np.empty(len(emb_BD), np.float64)
        for part in blocks(len(emb_BD), window.dim + 3 * head.bias_MC.size):
            distance_B[part] = self.distances(head, emb_BD[part])
        return 1.0 / (1.0 + distance_B)

    @staticmethod
    def distances(head: LinearHead, emb_BD: Floats) -> NDArray[np.float64]:
        """Return the mean distance of each row to the nearest border of each member, [B]; may be infinite."""
        members, dim, classes = head.weights_MDC.shape
        weights_DK = head.weights_MDC.astype(np.float64).transpose(1, 0, 2).reshape(dim, members * classes)
        logits_BK = emb_BD.astype(np.float64) @ weights_DK + head.bias_MC.reshape(-1)
        logits_BMC = steady(logits_BK).astype(np.float64).reshape(-1, members, classes)
        total_B = np.zeros(len(emb_BD))
        for member, weights_DC in enumerate(head.weights_MDC):
            norms_CC = np.sqrt(squared_distances(weights_DC.T, weights_DC.T)).astype(np.float64)
            total_B += _to_border(logits_BMC[:, member], norms_CC)
        return total_B / members


def _to_border(logits_BC: NDArray[np.float64], norms_CC: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of each row to the nearest border of one member, [B].

    Classes of equal weights have no border between them, unless they tie everywhere.
    """
    rows = np.arange(len(logits_BC))
    best_B = logits_BC.argmax(axis=1)
    apart_BC = logits_BC[rows, best_B][:, None] - logits_BC
    norms_BC = norms_CC[best_B]
    distance_BC = np.where(apart_BC > 0.0, np.inf, 0.0)
    np.divide(apart_BC, norms_BC, out=distance_BC, where=norms_BC > 0.0)
    distance_BC[rows, best_B] = np.inf
    return distance_BC.min(axis=1)
