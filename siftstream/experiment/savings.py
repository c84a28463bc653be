"""Ratio = labels used / labels that random needs for the same accuracy, with intervals over the seeds.

Shape letters: S seeds, R resamples of the seeds, P points of a curve.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESAMPLES = 2000
INTERVAL = (5.0, 95.0)  # percentiles: 90 %


@dataclass(frozen=True, eq=False)
class Curves:
    """Accuracies [S, P] at numbers of labels [P]; row s is seed s."""

    counts_P: NDArray[np.int64]
    accuracies_SP: Floats

    def at(self, labels: float) -> Floats:
        """Return the accuracies of the seeds at a number of labels, [S], by straight lines."""
        return np.array([np.interp(labels, self.counts_P, line) for line in self.accuracies_SP])


@dataclass(frozen=True)
class Figure:
    """A value with its 90 % interval; `bound` is `<=` or `>=` where random's curve ends before it is met."""

    value: float
    low: float
    high: float
    bound: str = ""


@dataclass(frozen=True)
class Savings:
    """What a strategy reached with so many labels: accuracy, points against random, ratio of labels."""

    labels: int
    accuracy: Figure
    against_random: Figure
    ratio: Figure

    def as_json(self) -> dict[str, Any]:
        """Return it as plain numbers."""
        return asdict(self)


def savings(ours: Curves, random: Curves, labels: int) -> Savings:
    """Compare the mean curves at `labels`; the bootstrap draws seeds, the same ones from both."""
    seeds = min(len(ours.accuracies_SP), len(random.accuracies_SP))
    draws_RS = np.random.default_rng(0).integers(seeds, size=(RESAMPLES, seeds))
    draws_RS = np.concatenate([np.arange(seeds)[None], draws_RS])  # the first row: the seeds as they are
    ours_R = ours.at(labels)[draws_RS].mean(axis=1)
    level_R = random.at(labels)[draws_RS].mean(axis=1)
    curves_RP = np.stack([column[draws_RS].mean(axis=1) for column in random.accuracies_SP.T], axis=1)
    ratio_R = labels / labels_needed(random.counts_P, curves_RP, ours_R)
    bound = "<=" if ours_R[0] > curves_RP[0].max() else ">=" if ours_R[0] <= curves_RP[0, 0] else ""
    if labels <= random.counts_P[0]:
        bound = ""  # the start itself: a ratio of at most 1 says all there is to say
    return Savings(labels, _figure(ours_R), _figure(ours_R - level_R), _figure(ratio_R, bound))


def ahead(ours: Curves, random: Curves, labels: int, times: float) -> Figure:
    """Return how far ours with `labels` is above random with so many times the labels, in accuracy.

    >>> curves = Curves(np.array([20, 40]), np.array([[0.5, 0.7], [0.5, 0.7]]))
    >>> ahead(curves, curves, 20, 2).value
    -0.2
    """
    seeds = min(len(ours.accuracies_SP), len(random.accuracies_SP))
    apart_S = ours.at(labels)[:seeds] - random.at(times * labels)[:seeds]
    draws_RS = np.random.default_rng(0).integers(seeds, size=(RESAMPLES, seeds))
    means_R = np.concatenate([[apart_S.mean()], apart_S[draws_RS].mean(axis=1)])
    return _figure(means_R.round(12))


def labels_needed(counts_P: NDArray[np.int64], curves_RP: Floats, goals_R: Floats) -> Floats:
    """Return where each curve first reaches its goal, by a straight line between two points, [R].

    The first count where the curve begins at the goal or above it, the last where it never gets there.

    >>> curves = np.array([[0.5, 0.7, 0.8]] * 3)
    >>> labels_needed(np.array([20, 40, 60]), curves, np.array([0.6, 0.4, 0.9])).tolist()
    [30.0, 20.0, 60.0]
    """
    if len(counts_P) == 1:
        return np.full(len(goals_R), counts_P[0], np.float64)
    rows = np.arange(len(curves_RP))
    reached_RP = curves_RP >= goals_R[:, None]
    after_R = np.maximum(reached_RP.argmax(axis=1), 1)
    low_R, high_R = curves_RP[rows, after_R - 1], curves_RP[rows, after_R]
    share_R = (goals_R - low_R) / np.where(high_R > low_R, high_R - low_R, 1.0)
    step_R = counts_P[after_R] - counts_P[after_R - 1]
    needed_R = counts_P[after_R - 1] + np.clip(share_R, 0.0, 1.0) * step_R
    return np.where(reached_RP.any(axis=1), needed_R, counts_P[-1]).astype(np.float64)


def _figure(values_R: Floats, bound: str = "") -> Figure:
    low, high = np.percentile(values_R[1:], INTERVAL)
    return Figure(float(values_R[0]), float(low), float(high), bound)
