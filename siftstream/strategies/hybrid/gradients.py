"""Gradients of the last layer, compared without being built."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from siftstream.strategies.blocks import blocks
from siftstream.strategies.distances import ROUNDING
from siftstream.strategies.steady import steady
from siftstream.strategies.uncertainty.base import mean_probs
from siftstream.strategies.window import Floats, Rows, Window


@dataclass(frozen=True, eq=False)
class Gradients:
    """The gradient of each row, g = a h^T: `residuals_BC` is a, the embedding h; |g|^2 = |a|^2 |h|^2.

    a = p - onehot(argmax p) is the gradient of the cross-entropy by the logits, were the likeliest class
    the true one. <g_i, g_j> = <a_i, a_j> <h_i, h_j>, so that distances come from two small products and the
    C x D numbers of a gradient are never held. h has no constant 1 for the bias.
    """

    residuals_BC: NDArray[np.float32]
    emb_BD: Floats
    squared_norms_B: NDArray[np.float64]

    @classmethod
    def of(cls, window: Window) -> Self:
        """Take the mean probabilities over the members, and the embeddings as they are."""
        residuals_BC = np.empty((len(window), window.classes), np.float32)
        squared_norms_B = np.empty(len(window))
        for part in blocks(len(window), max(window.dim, window.members * window.classes)):
            probs_BC = mean_probs(window.rows(part))
            probs_BC[np.arange(len(probs_BC)), probs_BC.argmax(axis=1)] -= 1.0
            residuals_BC[part] = probs_BC
            squared_norms_B[part] = _squares(residuals_BC[part]) * _squares(window.emb_BD[part])
        return cls(residuals_BC, window.emb_BD, squared_norms_B)

    def among(self, rows: Rows) -> NDArray[np.float32]:
        """Return squared distances of some rows to each other, [I, I]; equal gradients are at exactly 0."""
        norms_I = self.squared_norms_B[rows]
        both_II = norms_I[:, None] + norms_I
        squared_II = both_II - self._twice_products(rows, rows)
        squared_II[squared_II < ROUNDING * both_II] = 0.0
        return steady(squared_II)

    def to_nearest(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the squared distance of each row to the nearest of some, [B]; of equal ones exactly 0."""
        squared_B = np.empty(len(self.emb_BD), np.float32)
        for part in blocks(len(self.emb_BD), max(self.emb_BD.shape[1], len(rows))):
            norms_I = self.squared_norms_B[part]
            nearness_IJ = self._twice_products(part, rows)
            nearness_IJ -= self.squared_norms_B[rows]
            least_I = norms_I - nearness_IJ.max(axis=1)
            least_I[least_I < 2.0 * ROUNDING * norms_I] = 0.0
            squared_B[part] = steady(least_I)
        return squared_B

    def _twice_products(self, rows: Rows, others: Rows) -> NDArray[np.float64]:
        residuals_JC, emb_JD = self.residuals_BC[others].astype(np.float64), self.emb_BD[others]
        twice_IJ = self.emb_BD[rows].astype(np.float64) @ emb_JD.astype(np.float64).T
        twice_IJ *= self.residuals_BC[rows].astype(np.float64) @ (2.0 * residuals_JC).T
        return twice_IJ


def _squares(values_BD: Floats) -> NDArray[np.float64]:
    values_BD = values_BD.astype(np.float64)
    return np.einsum("bd,bd->b", values_BD, values_BD)
