"""A linear surrogate of the model: regularised least squares that learns one more sample without a refit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from siftstream.strategies.beside import Labelled
from siftstream.strategies.blocks import blocks
from siftstream.strategies.distances import centre_of
from siftstream.strategies.window import Floats

EQUAL = 1e-12  # of the squared length: less spread than this is the rounding of equal rows
Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Surrogate:
    """Class scores of x are `x @ weights_EC`; `inverse_EE` is (X'X + ridge)^-1 of the labelled rows X.

    E is D + 1: rows x are embeddings, centred and scaled so that a reference's mean squared length is 1, and
    a constant 1.
    Source: Sherman and Morrison, Adjustment of an inverse matrix, 1950.
    """

    weights_EC: Float64
    inverse_EE: Float64
    centre_D: Float64
    scale: float

    @classmethod
    def of(cls, labelled: Labelled, references_RD: Floats, classes: int, ridge: float) -> "Surrogate":
        """Fit the labelled samples to one-hot classes; time O((L + D) D^2), memory a few D^2.

        `ridge` is a share of the mean eigenvalue of X'X. A labelled class that is none of `classes` counts as
        none of them.
        """
        centre_D = centre_of(references_RD)
        scale = _spread(references_RD, centre_D)
        width = references_RD.shape[1] + 1
        gram_EE, cross_EC = np.zeros((width, width)), np.zeros((width, classes))
        for part in blocks(len(labelled), width + classes):
            x_BE = _extended(labelled.emb_LD[part], centre_D, scale)
            gram_EE += x_BE.T @ x_BE
            cross_EC += x_BE.T @ (labelled.classes_L[part, None] == np.arange(classes)).astype(np.float64)
        gram_EE[np.diag_indices(width)] += ridge * np.trace(gram_EE) / width
        inverse_EE = np.linalg.inv(gram_EE).astype(np.float64)
        return cls(inverse_EE @ cross_EC, inverse_EE, centre_D, scale)

    def extended(self, emb_BD: Floats) -> Float64:
        """Return the rows as the surrogate reads them, [B, E]."""
        return _extended(emb_BD, self.centre_D, self.scale)

    def moved_by(self, candidates_BE: Float64, references_RE: Float64) -> tuple[Float64, Float64]:
        """Return how a candidate's label moves the references, [B, R], and its leverage, x'A^-1 x, [B].

        Learning candidate b as class c adds moved[b, r] (e_c - f_b) to the scores of reference r, f_b the
        scores of b before.
        """
        pulled_BE = candidates_BE @ self.inverse_EE
        leverage_B = np.maximum(np.einsum("be,be->b", pulled_BE, candidates_BE), 0.0)
        return (pulled_BE @ references_RE.T) / (1.0 + leverage_B)[:, None], leverage_B


def probabilities(scores: Float64) -> Float64:
    """Return class scores as probabilities over the last axis: what is below 0 counts as 0, then the share.

    Source: Sugiyama, Superfast-trainable multi-class probabilistic classifier by least-squares posterior
    fitting, IEICE 2010, equation 9.

    >>> probabilities(np.array([[0.9, 0.3, -0.2], [-1.0, 0.0, 0.0]])).round(3).tolist()
    [[0.75, 0.25, 0.0], [0.333, 0.333, 0.333]]
    """
    floored = np.maximum(scores, 0.0)
    total = floored.sum(axis=-1, keepdims=True)
    even = np.full_like(floored, 1.0 / scores.shape[-1])
    return np.divide(floored, total, out=even, where=total > 0.0)


def _spread(emb_BD: Floats, centre_D: Float64) -> float:
    """Return the root of the mean squared distance to the centre, or 1 where all rows are equal."""
    squared = length = 0.0
    for part in blocks(*emb_BD.shape):
        rows = emb_BD[part].astype(np.float64)
        length += float(np.square(rows).sum())
        squared += float(np.square(rows - centre_D).sum())
    return float(np.float32(np.sqrt(squared / len(emb_BD)))) if squared > EQUAL * length else 1.0


def _extended(emb_BD: Floats, centre_D: Float64, scale: float) -> Float64:
    ones_B1 = np.ones((len(emb_BD), 1))
    return np.concatenate([(emb_BD.astype(np.float64) - centre_D) / scale, ones_B1], axis=1)
