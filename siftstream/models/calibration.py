"""How honest the probabilities are: log loss, calibration error, and the temperature that mends it."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from siftstream.models.head import softmax

_PRIOR = 0.5  # deviation of log T around 0: few or perfect held-out samples do not drive T to an extreme
_BOUNDS = (math.log(0.1), math.log(10.0))


def log_loss(probs_BC: NDArray[np.floating], targets_B: NDArray[np.integer]) -> float:
    """Return the mean of -log p(true class), in nats.

    >>> round(log_loss(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 1])), 4)
    0.4904
    """
    picked = probs_BC[np.arange(len(targets_B)), targets_B].astype(np.float64)
    return float(-np.log(np.clip(picked, 1e-12, None)).mean())


def expected_calibration_error(
    probs_BC: NDArray[np.floating], targets_B: NDArray[np.integer], bins: int = 15
) -> float:
    """Return the mean gap between confidence and accuracy over equal-width bins (Guo et al. 2017, eq. 3).

    >>> expected_calibration_error(np.array([[0.8, 0.2], [0.8, 0.2]]), np.array([0, 1]))
    0.3
    """
    confidence = probs_BC.max(axis=1).astype(np.float64)
    correct = (probs_BC.argmax(axis=1) == targets_B).astype(np.float64)
    bin_of = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(bin_of, weights=correct - confidence, minlength=bins)
    return round(float(np.abs(gaps).sum() / len(targets_B)), 12)


def fit_temperature(logits_BMC: NDArray[np.floating], targets_B: NDArray[np.integer]) -> float:
    """Return the T > 0 whose softmax(logits / T), averaged over members, has the least log loss.

    The samples must be ones that the head was not trained on (Guo et al. 2017, section 4.2). A Gaussian
    prior on log T, worth one sample's log loss at about one deviation, keeps T sane where they are few.
    """
    logits = logits_BMC.astype(np.float64)

    def objective(log_t: float) -> float:
        probs_BC = softmax(logits / math.exp(log_t)).mean(axis=1)
        return log_loss(probs_BC, targets_B) * len(targets_B) + 0.5 * (log_t / _PRIOR) ** 2

    return math.exp(golden_section(objective, *_BOUNDS))


def golden_section(function: Callable[[float], float], low: float, high: float, width: float = 1e-4) -> float:
    """Return where a function with one valley is least in [low, high], to within `width`.

    >>> round(golden_section(lambda x: (x - 2.0) ** 2, 0.0, 5.0), 3)
    2.0
    """
    ratio = (math.sqrt(5.0) - 1.0) / 2.0
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > width:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = function(right)
    return (low + high) / 2.0
