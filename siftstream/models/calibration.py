"""How honest the probabilities are: log loss, calibration error, and the calibrations that mend them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from siftstream.models.head import Head, softmax
from siftstream.models.isotonic import fit_isotonic
from siftstream.models.platt import BOUNDS, SCALE_PRIOR, fit_platt

Method = Literal["temperature", "platt", "isotonic", "none"]
BINS: Final = 15  # of the calibration error
_ENOUGH: Final = 20_000  # samples that give a temperature to about a hundredth; more cost time alone


@dataclass(frozen=True, eq=False)
class Calibration:
    """What turns a head's logits into honest probabilities; as it stands, nothing is changed."""

    temperature: float = 1.0
    shift: float = 0.0
    """What is added to the second class's logit, before the temperature."""
    knots_K2: NDArray[np.float32] | None = None

    def on(self, head: Head) -> Head:
        """Return an uncalibrated head with this calibration.

        >>> Calibration(2.0, 0.5).on(Head.uniform(1, 3, 2)).probs(np.ones((1, 3)))[0, 0].round(3)
        array([0.438, 0.562], dtype=float32)
        """
        bias_MC = head.bias_MC.copy()
        bias_MC[:, 1] += np.float32(self.shift)
        return replace(head, bias_MC=bias_MC, temperature=self.temperature, knots_K2=self.knots_K2)


def fit_calibration(
    method: Method, logits_BMC: NDArray[np.floating], targets_B: NDArray[np.integer]
) -> Calibration:
    """Return the calibration of the members' mean, from samples that the head was not trained on.

    Isotonic steps stand on Platt's scale and shift, so that whoever reads the logits alone is near. Both are
    for two classes.
    """
    if method == "none":
        return Calibration()
    if method == "temperature":
        return Calibration(fit_temperature(logits_BMC, targets_B))
    temperature, shift = fit_platt(logits_BMC, targets_B)
    if method == "platt":
        return Calibration(temperature, shift)
    shifted = (logits_BMC + np.array([0.0, shift], np.float32)) / np.float32(temperature)
    return Calibration(temperature, shift, fit_isotonic(softmax(shifted)[..., 1], targets_B == 1))


def crossed(head: Head, final: Calibration, others: Sequence[Calibration]) -> Head:
    """Return an uncalibrated head with its calibration, and those that judge it beside: one a fold."""
    pairs = [(other.temperature, other.shift - final.shift) for other in others]
    knots = [other.knots_K2 for other in others]
    return replace(
        final.on(head),
        crossed_F2=np.array(pairs, np.float32),
        crossed_knots_FK2=_stacked([k for k in knots if k is not None]) if knots[0] is not None else None,
    )


def _stacked(knots: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return knots [F, K, 2]; shorter ones end on their last knot again and again."""
    longest = max(len(each) for each in knots)
    return np.stack([np.concatenate([k, np.repeat(k[-1:], longest - len(k), axis=0)]) for k in knots])


def log_loss(probs_BC: NDArray[np.floating], targets_B: NDArray[np.integer]) -> float:
    """Return the mean of -log p(true class), in nats.

    >>> round(log_loss(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 1])), 4)
    0.4904
    """
    picked = probs_BC[np.arange(len(targets_B)), targets_B].astype(np.float64)
    return float(-np.log(np.clip(picked, 1e-12, None)).mean())


def expected_calibration_error(
    probs_BC: NDArray[np.floating], targets_B: NDArray[np.integer], bins: int = BINS
) -> float:
    """Return the mean gap between confidence and accuracy over equal-width bins (Guo et al. 2017, eq. 3).

    >>> expected_calibration_error(np.array([[0.8, 0.2], [0.8, 0.2]]), np.array([0, 1]))
    0.3
    """
    confidence = probs_BC.max(axis=1).astype(np.float64)
    correct = (probs_BC.argmax(axis=1) == targets_B).astype(np.float64)
    gaps = np.bincount(bins_of(confidence, bins), weights=correct - confidence, minlength=bins)
    return round(float(np.abs(gaps).sum() / len(targets_B)), 12)


def bins_of(confidence_B: NDArray[np.float64], bins: int = BINS) -> NDArray[np.int64]:
    """Return the bin of each confidence; its upper edge is in it."""
    return np.clip(np.ceil(confidence_B * bins).astype(np.int64) - 1, 0, bins - 1)


def fit_temperature(logits_BMC: NDArray[np.floating], targets_B: NDArray[np.integer]) -> float:
    """Return the T > 0 whose softmax(logits / T), averaged over members, has the least log loss.

    The samples must be ones that the head was not trained on (Guo et al. 2017, section 4.2). A Gaussian
    prior on log T, worth one sample's log loss at about one deviation, keeps T sane where they are few.
    """
    stride = -(-len(targets_B) // _ENOUGH) or 1
    logits, targets_B = logits_BMC[::stride].astype(np.float64), targets_B[::stride]

    def objective(log_t: float) -> float:
        probs_BC = softmax(logits / math.exp(log_t)).mean(axis=1)
        return log_loss(probs_BC, targets_B) * len(targets_B) + 0.5 * (log_t / SCALE_PRIOR) ** 2

    return math.exp(golden_section(objective, *BOUNDS))


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
