"""The linear head of the product's head mode, fitted in-process: logistic regression with a Gaussian prior.

The same maths as the linear head of `siftstream.models.training.heads`, without torch and for a given l2.
Shape letters: N training labels, M members, C classes, D embedding dimension.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from siftstream.models.head import Head

Floats = NDArray[np.float64]
L2 = 1.0  # the trainer looks for the best in folds (`auto`)


def fitted(
    emb_ND: NDArray[np.float32],
    classes_N: NDArray[np.int64],
    classes: int,
    l2: float = L2,
    members: int = 1,
    seed: int = 0,
) -> Head:
    """Return the head that these labels make; several members weigh the labels by Bayesian bootstrap."""
    mean_D, deviation_D = emb_ND.mean(axis=0, dtype=np.float64), emb_ND.std(axis=0, dtype=np.float64)
    scale_D = np.where(deviation_D > 1e-6, 1.0 / np.maximum(deviation_D, 1e-6), 0.0)
    features = (emb_ND - mean_D) * scale_D
    shares_MN = np.ones((members, len(emb_ND)))
    if members > 1:
        shares_MN = np.random.default_rng(seed).exponential(size=shares_MN.shape)
        shares_MN /= shares_MN.mean(axis=1, keepdims=True)
    weights_MDC = np.empty((members, features.shape[1], classes))
    bias_MC = np.empty((members, classes))
    for member, shares_N in enumerate(shares_MN):
        weights_DC, bias_C = _optimum(features, np.eye(classes)[classes_N], shares_N, l2)
        weights_MDC[member] = weights_DC * scale_D[:, None]
        bias_MC[member] = bias_C - mean_D @ weights_MDC[member]
    return Head(weights_MDC.astype(np.float32), bias_MC.astype(np.float32))


def _optimum(features_ND: Floats, wanted_NC: Floats, shares_N: Floats, l2: float) -> tuple[Floats, Floats]:
    """Return weights [D, C] and bias [C] of the least sum of cross-entropy and l2 / 2 |weights|^2."""
    dim, classes = features_ND.shape[1], wanted_NC.shape[1]

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(dim + 1, classes)
        logits = features_ND @ weights[:dim] + weights[dim]
        logits -= logits.max(axis=1, keepdims=True)
        powers = np.exp(logits)
        sums = powers.sum(axis=1, keepdims=True)
        error = shares_N @ (np.log(sums[:, 0]) - (logits * wanted_NC).sum(axis=1))
        apart = (powers / sums - wanted_NC) * shares_N[:, None]
        slope = np.concatenate([features_ND.T @ apart + l2 * weights[:dim], apart.sum(axis=0, keepdims=True)])
        return float(error + l2 / 2 * (weights[:dim] ** 2).sum()), slope.ravel()

    found = minimize(
        loss,
        np.zeros((dim + 1) * classes),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 300, "ftol": 1e-7, "gtol": 1e-3},
    )
    weights = found.x.reshape(dim + 1, classes)
    return weights[:dim], weights[dim]
