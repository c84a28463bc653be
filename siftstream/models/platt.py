"""Platt's calibration of two classes: a scale and a shift of the difference of their logits."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

SCALE_PRIOR: Final = 0.5  # deviation of log T around 0: few or perfect samples do not drive T to an extreme
BOUNDS: Final = (math.log(0.1), math.log(10.0))  # of log T
_SHIFT_PRIOR: Final = 1.0  # deviation of the shift around 0, in logits
_ROUNDS: Final = 50
_STEP: Final = 1e-4  # of the differences that give the curvature

Doubles = NDArray[np.float64]


def fit_platt(logits_BM2: NDArray[np.floating], targets_B: NDArray[np.integer]) -> tuple[float, float]:
    """Return T > 0 and the shift of the second class's logit that make the members' mean likeliest.

    The head then says softmax((logits + [0, shift]) / T): the logistic regression of Platt (1999) on the
    difference of the logits, with slope 1 / T. Gaussian priors on log T and on shift / T do what his smoothed
    targets are for. Newton's method, halving a step that does not lower the loss.

    >>> apart = np.repeat([-2.0, 2.0], 500)  # logits of the second class; the first one's are 0
    >>> targets = np.repeat([0, 1, 0, 1], [400, 100, 50, 450])  # it is the second in 0.2 and in 0.9 of them
    >>> T, shift = fit_platt(np.stack([0 * apart, apart], axis=1)[:, None], targets)
    >>> [round(1 / (1 + math.exp(-(logit + shift) / T)), 2) for logit in (-2.0, 2.0)]
    [0.2, 0.9]
    """
    apart_BM = (logits_BM2[..., 1] - logits_BM2[..., 0]).astype(np.float64)
    sign_B1 = np.where(targets_B == 1, 1.0, -1.0)[:, None]
    at = np.zeros(2)  # log T, shift / T
    loss, slope = _loss(at, apart_BM, sign_B1)
    for _ in range(_ROUNDS):
        step = _downhill(at, slope, apart_BM, sign_B1)
        for _ in range(_ROUNDS):
            there = np.array([np.clip(at[0] + step[0], *BOUNDS), at[1] + step[1]])
            lower, new_slope = _loss(there, apart_BM, sign_B1)
            if lower <= loss:
                break
            step /= 2
        else:
            break
        moved, at, loss, slope = np.abs(there - at).max(), there, lower, new_slope
        if moved < 1e-6:
            break
    temperature = math.exp(at[0])
    return temperature, float(at[1]) * temperature


def _loss(at: Doubles, apart_BM: Doubles, sign_B1: Doubles) -> tuple[float, Doubles]:
    """Return the log loss of the members' mean, with the priors, and its slope [2]."""
    scaled_BM = apart_BM * math.exp(-at[0])
    said_BM = 0.5 * (1.0 + np.tanh(0.5 * sign_B1 * (scaled_BM + at[1])))
    total_B = np.maximum(said_BM.sum(axis=1), 1e-12)
    rise_BM = sign_B1 * said_BM * (1.0 - said_BM) / total_B[:, None]
    pull = at / np.array([SCALE_PRIOR, _SHIFT_PRIOR]) ** 2
    slope = np.array([(rise_BM * scaled_BM).sum(), -rise_BM.sum()]) + pull
    return float(-np.log(total_B / apart_BM.shape[1]).sum() + 0.5 * at @ pull), slope


def _downhill(at: Doubles, slope: Doubles, apart_BM: Doubles, sign_B1: Doubles) -> Doubles:
    """Return Newton's step, or one along the slope where the loss is not curved like a bowl."""
    curve = np.stack(
        [
            _loss(at + side, apart_BM, sign_B1)[1] - _loss(at - side, apart_BM, sign_B1)[1]
            for side in np.eye(2) * _STEP
        ]
    ) / (2 * _STEP)
    curve = np.asarray((curve + curve.T) / 2, np.float64)
    if np.linalg.eigvalsh(curve)[0] <= 0:
        return -slope / np.abs(curve).sum()
    return np.asarray(-np.linalg.solve(curve, slope), np.float64)
