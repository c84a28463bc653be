"""What each label counts in training: agreement, age, class.

Shape letters: N labels, C classes.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.retrain.pool import Snapshot
from siftstream.models.training.settings import WeightSettings
from siftstream.schemas import Slice

Floats = NDArray[np.float64]
MOST: Final = 10.0  # times that a class counts for more, or less, than its labels; more is mostly noise


def weighed(
    pool: Snapshot, settings: WeightSettings, classes: tuple[str, ...], now: float
) -> NDArray[np.float32]:
    """Return the weights [N] of a pool's labels at `now`, seconds since the epoch; held-out ones keep 1.

    Those of the training slice have mean 1, so that the strength of a prior means the same whatever is set.
    """
    weights_N = np.ones(len(pool))
    train = pool.where(Slice.TRAIN)
    some_N = pool.weights_N[train].astype(np.float64) if settings.agreement else np.ones(len(train))
    if settings.half_life is not None:
        some_N = some_N * half_lives(pool.resolved_N[train], now, settings.half_life)
    factors_C = _factors(pool, train, some_N, settings.classes, classes)
    some_N = some_N * factors_C[pool.classes_N[train]]
    total = some_N.sum()
    weights_N[train] = some_N / (total / len(train)) if total > 0 else some_N
    return weights_N.astype(np.float32)


def half_lives(resolved_N: Floats, now: float, half_life: float) -> Floats:
    """Return 2^-(age / half_life) [N], as shares of what the youngest counts; a time to come is now.

    >>> half_lives(np.array([100.0, 90.0, 80.0, 200.0]), now=100.0, half_life=10.0).tolist()
    [1.0, 0.5, 0.25, 1.0]
    """
    age_N = np.maximum(now - resolved_N, 0.0)
    return np.exp2(-(age_N - age_N.min(initial=np.inf)) / half_life) if len(age_N) else age_N


def balanced(shares_C: Floats) -> Floats:
    """Return what the labels of each class count [C] so that all classes that have some count alike.

    >>> balanced(np.array([0.5, 0.25, 0.25, 0.0])).round(3).tolist()
    [0.667, 1.333, 1.333, 1.0]
    """
    present = shares_C > 0
    return np.where(present, 1.0 / (np.maximum(shares_C, 1e-300) * max(1, present.sum())), 1.0)


def stream_shares(classes_A: NDArray[np.int64], chances_A: Floats, prior_C: Floats) -> Floats:
    """Return how often each class occurs in the stream [C], as A audited labels tell.

    Each audited label stands for 1 / inclusion probability samples (Hajek 1971). Few of them say little: the
    estimate is drawn towards `prior_C` as if that were one audited label a class, and what unequal
    probabilities cost counts (Kish 1965: effective number = square of the sum / sum of the squares).

    >>> stream_shares(np.array([0, 0, 1]), np.array([0.1, 0.1, 0.5]), np.array([0.5, 0.5])).round(3).tolist()
    [0.722, 0.278]
    """
    known = np.isfinite(chances_A) & (chances_A > 0)
    stands_A = 1.0 / chances_A[known]
    if not len(stands_A):
        return prior_C
    sums_C = np.bincount(classes_A[known], weights=stands_A, minlength=len(prior_C))
    effective = stands_A.sum() ** 2 / np.square(stands_A).sum()
    doubt = float(len(prior_C))
    return (effective * sums_C / sums_C.sum() + doubt * prior_C) / (effective + doubt)


def _factors(
    pool: Snapshot,
    train: NDArray[np.intp],
    weights_N: Floats,
    wanted: str | Mapping[str, float],
    classes: tuple[str, ...],
) -> Floats:
    """Return what the labels of each class count beside all else [C]."""
    if isinstance(wanted, Mapping):
        return np.array([wanted.get(name, 1.0) for name in classes])
    if wanted == "none" or not weights_N.sum() > 0:
        return np.ones(len(classes))
    sums_C = np.bincount(pool.classes_N[train], weights=weights_N, minlength=len(classes))
    shares_C = sums_C / sums_C.sum()
    if wanted == "balanced":
        return balanced(shares_C)
    audited = pool.where(Slice.AUDIT)
    stream_C = stream_shares(pool.classes_N[audited], pool.chances_N[audited], shares_C)
    with np.errstate(divide="ignore", invalid="ignore"):
        factors_C = np.where(shares_C > 0, stream_C / shares_C, 1.0)
    return np.clip(factors_C, 1.0 / MOST, MOST)
