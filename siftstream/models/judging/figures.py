"""The figures of a model beside another on the same samples: accuracy, F1, log loss, calibration, recall.

Each is made from three numbers a sample (`Answers`), weights w that sum to 1, and the true classes.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from siftstream.models.calibration import BINS, bins_of
from siftstream.models.estimate import wilson
from siftstream.models.judging.answers import Answers
from siftstream.models.judging.intervals import (
    LEVEL,
    Doubles,
    Spread,
    freed_of_chance,
    kish,
    moved,
    shares_apart,
    skewed,
)
from siftstream.schemas.judgement import Interval, Source

LOWER_IS_BETTER = frozenset({"log_loss", "ece"})
RECALL = "recall"


@dataclass(frozen=True)
class Measured:
    """One figure of a candidate; of the live one, and their difference, where there is one."""

    name: str
    value: float
    interval: Interval
    count: int
    live: float | None = None
    gap: Spread | None = None
    samples: Source = "all"

    @property
    def loss(self) -> float:
        """By how much the candidate is worse; negative where it is better."""
        if self.live is None:
            return 0.0
        return self.value - self.live if self.name in LOWER_IS_BETTER else self.live - self.value

    def least_loss(self, level: float) -> float:
        """Return the least loss inside the interval of this (two-sided) confidence."""
        if self.gap is None:
            return 0.0
        low, high = self.gap.at(level)
        return low if self.name in LOWER_IS_BETTER else -high


def figures_of(
    ours: Answers,
    live: Answers | None,
    targets_B: NDArray[np.int64],
    weights_B: Doubles,
    classes: Sequence[str],
    samples: Source = "all",
) -> list[Measured]:
    """Return accuracy, macro_f1, log_loss, ece, then the recall of each class that occurs.

    >>> probs = np.array([[[0.8, 0.2]], [[0.6, 0.4]], [[0.3, 0.7]], [[0.9, 0.1]]])
    >>> targets = np.array([0, 1, 1, 0])
    >>> found = figures_of(Answers.of(probs, targets), None, targets, np.ones(4), ("no", "yes"))
    >>> [one.name for one in found]
    ['accuracy', 'macro_f1', 'log_loss', 'ece', 'recall/no', 'recall/yes']
    >>> [round(one.value, 3) for one in found]
    [0.75, 0.733, 0.4, 0.3, 1.0, 0.5]
    """
    weights_B = weights_B / weights_B.sum()
    whole = np.zeros(len(targets_B), np.int64)
    found = [
        *_shares(ours, live, targets_B, weights_B, whole, ["accuracy"]),
        _macro_f1(ours, live, targets_B, weights_B, len(classes)),
        _log_loss(ours, live, weights_B),
        _calibration_error(ours, live, targets_B, weights_B),
        *_shares(ours, live, targets_B, weights_B, targets_B, [f"{RECALL}/{name}" for name in classes]),
    ]
    return [replace(one, samples=samples) for one in found]


def _shares(
    ours: Answers,
    live: Answers | None,
    targets_B: NDArray[np.int64],
    weights_B: Doubles,
    groups_B: NDArray[np.int64],
    names: Sequence[str],
) -> Iterator[Measured]:
    """Yield the share that is right in each group that occurs: Wilson, and Bonett and Price, by group."""
    number = len(names)

    def mass(kept: NDArray[np.bool_] | None = None, power: int = 1) -> Doubles:
        counted = weights_B**power if kept is None else np.where(kept, weights_B, 0.0)
        return np.asarray(np.bincount(groups_B, weights=counted, minlength=number), np.float64)

    hits_B = ours.guesses_B == targets_B
    whole_G = mass()
    sizes_G = whole_G**2 / np.maximum(mass(power=2), 1e-300)
    whole_G = np.maximum(whole_G, 1e-300)
    right_G, counts_G = mass(hits_B) / whole_G, np.bincount(groups_B, minlength=number)
    won_G = lost_G = live_G = None
    if live is not None:
        theirs_B = live.guesses_B == targets_B
        live_G = mass(theirs_B) / whole_G
        won_G, lost_G = mass(hits_B & ~theirs_B) / whole_G, mass(theirs_B & ~hits_B) / whole_G
    for group in np.flatnonzero(counts_G).tolist():
        size, value = float(sizes_G[group]), min(1.0, float(right_G[group]))
        one = Measured(names[group], value, wilson(value, size, LEVEL), int(counts_G[group]))
        if live_G is not None and won_G is not None and lost_G is not None:
            gap = shares_apart(float(won_G[group]), float(lost_G[group]), size)
            one = replace(one, live=min(1.0, float(live_G[group])), gap=gap)
        yield one


def _macro_f1(
    ours: Answers, live: Answers | None, targets_B: NDArray[np.int64], weights_B: Doubles, classes: int
) -> Measured:
    """The mean F1 over the classes that occur, in truth or as a guess.

    Its variance is linearised (the delta method, as Takahashi et al. 2022 do); the interval is Wilson's with
    the size that this variance is worth (Franco et al. 2019), never more than classes of these sizes are.
    """
    value, moves_B = _f1_moves(ours.guesses_B, targets_B, weights_B, classes)
    mass_C, square_C = (
        np.bincount(targets_B, weights=w, minlength=classes) for w in (weights_B, weights_B**2)
    )
    seen = mass_C > 0
    size = float(seen.sum() ** 2 / (square_C[seen] / mass_C[seen] ** 2).sum())
    variance = moved(moves_B) ** 2
    worth = min(size, value * (1.0 - value) / variance) if variance > 0 else size
    one = Measured("macro_f1", value, wilson(value, max(worth, 1.0), LEVEL), len(targets_B))
    if live is None:
        return one
    before, live_moves_B = _f1_moves(live.guesses_B, targets_B, weights_B, classes)
    error = math.hypot(moved(moves_B - live_moves_B), math.sqrt(2.0) / (size + 2.0))
    return replace(one, live=before, gap=Spread(value - before, value - before, error, least=-1.0, most=1.0))


def _f1_moves(
    guesses_B: NDArray[np.int64], targets_B: NDArray[np.int64], weights_B: Doubles, classes: int
) -> tuple[float, Doubles]:
    """Return the macro F1 and what each sample moves it by."""
    hits_B = guesses_B == targets_B
    right_C = np.bincount(targets_B, weights=np.where(hits_B, weights_B, 0.0), minlength=classes)
    total_C = np.bincount(guesses_B, weights=weights_B, minlength=classes)
    total_C = total_C + np.bincount(targets_B, weights=weights_B, minlength=classes)
    seen = total_C > 0
    total_C = np.where(seen, total_C, 1.0)
    f1_C = 2.0 * right_C / total_C
    moves_B = 2.0 * hits_B / total_C[targets_B] - (f1_C / total_C)[guesses_B] - (f1_C / total_C)[targets_B]
    return min(1.0, float(f1_C[seen].mean())), weights_B * moves_B / seen.sum()


def _log_loss(ours: Answers, live: Answers | None, weights_B: Doubles) -> Measured:
    losses_B = -np.log(np.clip(ours.picked_B, 1e-12, None))
    own = _mean(losses_B, weights_B, least=0.0)
    value = float(weights_B @ losses_B)
    one = Measured("log_loss", value, own.at(), len(losses_B))
    if live is None:
        return one
    before_B = -np.log(np.clip(live.picked_B, 1e-12, None))
    return replace(one, live=float(weights_B @ before_B), gap=_mean(losses_B - before_B, weights_B))


def _mean(values_B: Doubles, weights_B: Doubles, least: float = -math.inf) -> Spread:
    """A weighted mean: Student's interval, with Johnson's correction for skewness.

    Its error counts the sample that lies farthest away once more: a rare great loss may have been missed.
    """
    mean = float(weights_B @ values_B)
    middle = mean + skewed(values_B, weights_B)
    size, apart_B = kish(weights_B), values_B - mean
    error = math.hypot(moved(weights_B * apart_B), float(np.abs(apart_B).max()) / size)
    return Spread(middle, middle, error, size, least)


def _calibration_error(
    ours: Answers, live: Answers | None, targets_B: NDArray[np.int64], weights_B: Doubles
) -> Measured:
    """The expected calibration error, as calibration.py says it.

    Counts in a bin vary as coins do, so even an honest model shows some error, and the plain sum of absolute
    gaps is too high: the interval reaches from below the sum freed of that to above the plain one.
    """
    plain, freed, moves_B = _bin_moves(ours, targets_B, weights_B)
    own = Spread(min(freed, plain), plain, moved(moves_B), least=0.0, most=1.0)
    one = Measured("ece", plain, own.at(), len(targets_B))
    if live is None:
        return one
    before, live_freed, live_moves_B = _bin_moves(live, targets_B, weights_B)
    low, high = sorted((plain - before, freed - live_freed))
    error = math.hypot(moved(moves_B - live_moves_B), (high - low) / 3)  # what was freed is a guess as well
    gap = Spread(low, high, error, least=-1.0, most=1.0)
    return replace(one, live=before, gap=gap)


def _bin_moves(
    said: Answers, targets_B: NDArray[np.int64], weights_B: Doubles
) -> tuple[float, float, Doubles]:
    """Return the error, the error freed of chance, and what each sample moves it by."""
    hits_B = (said.guesses_B == targets_B).astype(np.float64)
    bin_B = bins_of(said.confidence_B)

    def total(values_B: Doubles) -> Doubles:
        return np.asarray(np.bincount(bin_B, weights=values_B, minlength=BINS), np.float64)

    apart_B = hits_B - said.confidence_B
    gaps_K, mass_K = total(weights_B * apart_B), np.maximum(total(weights_B), 1e-300)
    counts_K = np.bincount(bin_B, minlength=BINS)
    right_K = (total(weights_B * hits_B) / mass_K * counts_K + 1.0) / (counts_K + 2.0)
    chance_K = total(weights_B**2) * right_K * (1.0 - right_K)
    plain = float(np.abs(gaps_K).sum())
    freed = float(freed_of_chance(gaps_K, chance_K).sum())
    moves_B = weights_B * (np.sign(gaps_K)[bin_B] * apart_B - plain)
    return round(plain, 12), freed, moves_B
