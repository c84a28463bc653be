"""Logistic regression of two classes by Newton's method: which of two sets a point looks to be from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from siftstream.strategies.blocks import blocks
from siftstream.strategies.steady import steady
from siftstream.strategies.window import Floats

Doubles = NDArray[np.float64]
STEPS, HALVINGS = 50, 30
SETTLED = 1e-7  # a Newton step this small leaves an error of its square


@dataclass(frozen=True, eq=False)
class Discriminator:
    """Log-odds (x - mean) / scale @ slope + offset of being from the first of two sets.

    `scale` is one number, the root mean square distance from the mean in a dimension.
    """

    mean_D: Doubles
    scale: float
    slope_D: Doubles
    offset: float

    @classmethod
    def between(cls, ones_ID: Floats, others_JD: Floats, ridge: float) -> "Discriminator":
        """Fit to the two sets, which weigh the same whatever their sizes.

        Minimises the sum of w log(1 + exp(-y z)) + ridge / 2 |slope|^2 with w = (I + J) / (2 I) and
        (I + J) / (2 J): scikit-learn's LogisticRegression(C=1 / ridge, class_weight="balanced"). The caller
        bounds I + J. Source: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2009,
        section 4.4.1.
        """
        points_ND = np.concatenate([ones_ID.astype(np.float64), others_JD.astype(np.float64)])
        mean_D = points_ND.mean(axis=0)
        points_ND -= mean_D
        scale = float(np.sqrt(np.mean(points_ND**2))) or 1.0
        points_ND /= scale
        sides_N = np.repeat([1.0, -1.0], [len(ones_ID), len(others_JD)])
        half = len(points_ND) / 2
        weights_N = np.repeat([half / len(ones_ID), half / len(others_JD)], [len(ones_ID), len(others_JD)])
        fitted = _newton(np.column_stack([points_ND, np.ones(len(points_ND))]), sides_N, weights_N, ridge)
        return cls(mean_D, scale, fitted[:-1], float(fitted[-1]))

    def log_odds(self, emb_BD: Floats) -> NDArray[np.float32]:
        """Return the log-odds of each row, [B], in steady numbers."""
        odds_B = np.empty(len(emb_BD), np.float32)
        for part in blocks(*emb_BD.shape):
            points = (emb_BD[part].astype(np.float64) - self.mean_D) / self.scale
            odds_B[part] = steady(points @ self.slope_D + self.offset)
        return odds_B


def _newton(points_NE: Doubles, sides_N: Doubles, weights_N: Doubles, ridge: float) -> Doubles:
    """Return the optimum [E], of which the last, the constant's, bears no penalty."""
    penalty_E = np.full(points_NE.shape[1], ridge)
    penalty_E[-1] = 0.0

    def loss(at_E: Doubles) -> float:
        losses_N = np.logaddexp(0.0, -sides_N * (points_NE @ at_E))
        return float(weights_N @ losses_N + 0.5 * penalty_E @ at_E**2)

    at_E = np.zeros(points_NE.shape[1])
    for _ in range(STEPS):
        wrong_N = np.exp(-np.logaddexp(0.0, sides_N * (points_NE @ at_E)))
        gradient_E = penalty_E * at_E - points_NE.T @ (weights_N * wrong_N * sides_N)
        hessian_EE = points_NE.T @ (points_NE * (weights_N * wrong_N * (1.0 - wrong_N))[:, None])
        hessian_EE[np.diag_indices_from(hessian_EE)] += penalty_E + 1e-12 * len(points_NE)
        step_E = np.linalg.solve(hessian_EE, gradient_E)
        before = loss(at_E) * (1.0 + 1e-12)
        for _ in range(HALVINGS):
            if loss(at_E - step_E) <= before:
                break
            step_E = step_E / 2.0
        at_E = at_E - step_E
        if np.abs(step_E).max() <= SETTLED * (1.0 + np.abs(at_E).max()):
            break
    return at_E
