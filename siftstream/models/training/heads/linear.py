"""Multinomial logistic regression with a Gaussian prior, to its optimum, several members in one pass.

Each member m has the least  sum_n w_nm (-log p_m(target_n)) + l2 / 2 |W_m|^2  over standardised features;
the bias has a prior so weak that it only keeps the bias of a class without labels finite. The search runs in
coordinates in which Boehning's bound on the Hessian (1992, theorem 1: 1/2 X'X + l2) is the identity, so that
it takes tens of passes, not hundreds. Shape letters: N labels, B rows of a chunk, M members, C classes,
D dimension, R rank.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from siftstream.models.training.heads.features import Features
from siftstream.models.training.heads.lbfgs import minimise

BIAS_L2: Final = 0.01  # prior deviation of 10 around 0
SOLVED: Final = 1e-4  # norm of the gradient in those coordinates, times the root of N
WIDEST: Final = 2048  # rank up to which the coordinates are worth their making
Told = Callable[[float, float], None]


@dataclass(frozen=True, eq=False)
class Linear:
    """Members found: in the coordinates of a `Regression`, their losses a label, and passes over the data."""

    rotated_MRC: Tensor
    bias_MC: Tensor
    loss_M: Tensor
    passes: int
    solved: bool


class Regression:
    """One set of labels, and the fits on it: with other weights, priors and beginnings."""

    def __init__(self, features: Features, targets_N: NDArray[np.int64], classes: int) -> None:
        """Args: what is read; places of classes; how many there are."""
        self._features = features
        self._targets = torch.from_numpy(targets_N)
        self._classes = classes
        self._axes_DR, self._spread_R = _principal(features)

    def fit(
        self, shares_NM: NDArray[np.float32], l2: float, start: Linear | None = None, told: Told | None = None
    ) -> Linear:
        """Return M members at their optimum.

        Args:
            shares_NM: What each label counts for each member.
            l2: Strength of the prior.
            start: Where to begin: the fit of a neighbouring prior; none: at zero.
            told: Hears the mean loss a label and how far the search is, 0..1.
        """
        shares = torch.from_numpy(shares_NM)
        count, members = shares.shape
        mass = float(shares.sum(dim=0, dtype=torch.float64).max()) or 1.0
        scale_R = 1.0 / torch.sqrt(0.5 * self._spread_R * (mass / count) + max(l2, 1e-6))
        scale_b = (0.5 * mass + BIAS_L2) ** -0.5
        scale = torch.cat([scale_R, torch.tensor([scale_b], dtype=torch.float64)])[:, None]
        prior = torch.full_like(scale, l2)
        prior[-1] = BIAS_L2
        shape = (members, len(scale), self._classes)

        def function(flat_MP: Tensor) -> tuple[Tensor, Tensor]:
            both = flat_MP.view(shape) * scale
            loss, slope = self._pass(both[:, :-1], both[:, -1], shares)
            loss = loss + 0.5 * (prior * both.square()).sum(dim=(1, 2))
            return loss, ((slope + prior * both) * scale).view(members, -1)

        first = torch.zeros(shape, dtype=torch.float64)
        if start is not None:
            first = torch.cat([start.rotated_MRC, start.bias_MC[:, None]], dim=1) / scale
        tolerance = SOLVED * count**0.5
        found = minimise(
            function, first.reshape(members, -1), tolerance, told=_telling(told, count, tolerance)
        )
        both = found.at_MP.view(shape) * scale
        solved = bool((found.slope_M <= tolerance).all())
        return Linear(both[:, :-1], both[:, -1], found.loss_M / count, found.passes, solved)

    def weights(self, fitted: Linear) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return weights [M, D, C] and biases [M, C] that read embeddings as they are."""
        weights_MDC = (self._axes_DR @ fitted.rotated_MRC).numpy() * self._features.scale_D[:, None]
        bias_MC = fitted.bias_MC.numpy() - np.einsum("d,mdc->mc", self._features.mean_D, weights_MDC)
        return weights_MDC, bias_MC

    def logits(self, fitted: Linear) -> Tensor:
        """Return the logits [N, M, C] of the labels themselves."""
        columns = self._columns(fitted.rotated_MRC)
        found = [x @ columns for _, x in self._features.chunks()]
        return torch.cat(found).view(-1, *fitted.bias_MC.shape) + fitted.bias_MC.float()

    def _columns(self, rotated_MRC: Tensor) -> Tensor:
        """Return all members' weights as the columns [D, M C] of one matrix."""
        return (self._axes_DR @ rotated_MRC).permute(1, 0, 2).reshape(self._features.dim, -1).float()

    def _pass(self, rotated_MRC: Tensor, bias_MC: Tensor, shares_NM: Tensor) -> tuple[Tensor, Tensor]:
        """Return cross-entropies [M] and their gradients [M, R + 1, C], from one pass over the features."""
        members, classes = bias_MC.shape
        columns, bias = self._columns(rotated_MRC), bias_MC.float()
        loss_M = torch.zeros(members, dtype=torch.float64)
        slope_DX = torch.zeros(self._features.dim, members * classes, dtype=torch.float64)
        slope_MC = torch.zeros(members, classes, dtype=torch.float64)
        for part, x in self._features.chunks():
            shares_BM, picked = shares_NM[part], self._targets[part, None, None].expand(-1, members, 1)
            logs = torch.log_softmax((x @ columns).view(-1, members, classes) + bias, dim=2)
            loss_M -= (logs.gather(2, picked).squeeze(2) * shares_BM).sum(dim=0, dtype=torch.float64)
            apart = logs.exp_()
            apart.scatter_add_(2, picked, torch.full_like(picked, -1, dtype=apart.dtype))
            apart *= shares_BM[:, :, None]
            slope_DX += x.T @ apart.view(len(x), -1)
            slope_MC += apart.sum(dim=0, dtype=torch.float64)
        slope_MRC = self._axes_DR.T @ slope_DX.view(-1, members, classes).permute(1, 0, 2)
        return loss_M, torch.cat([slope_MRC, slope_MC[:, None]], dim=1)


def _principal(features: Features) -> tuple[Tensor, Tensor]:
    """Return orthonormal axes [D, R] that hold all rows, and the sum of squares along each [R]."""
    count, dim = features.count, features.dim
    if min(count, dim) > WIDEST:  # as they come: standardised, so that each has the sum of squares N
        return torch.eye(dim, dtype=torch.float64), torch.full((dim,), float(count), dtype=torch.float64)
    if count < dim:
        rows_ND = torch.cat([x.double() for _, x in features.chunks()])
        spread, axes_NR = torch.linalg.eigh(rows_ND @ rows_ND.T)
        some = spread > 1e-9 * spread[-1].clamp(min=1e-30)
        return rows_ND.T @ (axes_NR[:, some] * spread[some].rsqrt()), spread[some]
    squares_DD = torch.zeros(dim, dim, dtype=torch.float64)
    for _, x in features.chunks():
        squares_DD += x.T @ x
    spread, axes_DD = torch.linalg.eigh(squares_DD)
    return axes_DD, spread.clamp(min=0.0)


def _telling(told: Told | None, count: int, tolerance: float) -> Callable[[Tensor, Tensor], None] | None:
    """Turn losses and gradients into a mean loss and a share of the way, on the gradient's logarithm."""
    if told is None:
        return None
    first: list[float] = []

    def tell(loss_M: Tensor, slope_M: Tensor) -> None:
        slope = max(float(slope_M.max()), tolerance)
        first.append(max(slope, 2 * tolerance))
        share = float(np.log(first[0] / slope) / np.log(first[0] / tolerance))
        told(float(loss_M.mean()) / count, min(1.0, max(0.0, share)))

    return tell
