"""One run of the drift trial: digits stream by, speaker after speaker; a window of 300, a label in five.

The head is trained anew by every 20 labels, as the product's trainer is, or after a drift by any newer label.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.label_savings.data import Data, load
from benchmarks.label_savings.head import fitted
from siftstream.agents.select.drift import DriftSettings, DriftWatch, Rows
from siftstream.models.head import Head
from siftstream.strategies import Window, get_strategy

WINDOW = 300
EVERY = 50  # samples between two rounds
ROUND = 10  # labels a round
BLOCK = 25  # samples between two looks for drift
NEW_LABELS = 20  # for the head to be trained anew
TEST_SHARE = 0.2  # of each speaker's recordings
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Actions:
    """What a drift sets off."""

    raise_budget: float = 1.0
    shrink_window: float | None = None
    retrain: bool = False


@dataclass(frozen=True)
class Trial:
    """A run; `labels` in all, evenly over the rounds, where it is told."""

    strategy: str
    seed: int
    actions: Actions
    labels: int | None = None


@dataclass(frozen=True)
class Result:
    """Mean accuracy on the speaker of the moment over all rounds; labels used; drifts told."""

    accuracy: float
    labels: int
    drifts: int


@cache
def _data(file: Path) -> Data:
    return load(file)


def trial(told: Trial, features: Path, speakers_N: Ints) -> Result:
    """Let all speakers pass once."""
    run = _Run(told, _data(features), speakers_N)
    accuracies: list[float] = []
    rounds = range(2 * EVERY, len(run.stream) + 1, EVERY)
    for number, seen in enumerate(rounds):
        for last in range(seen - EVERY + BLOCK, seen + 1, BLOCK):
            run.arrive(last - BLOCK, last)
        run.hold_round(seen, _size(told.labels, number, len(rounds)))
        accuracies.append(run.accuracy(int(speakers_N[run.stream[seen - 1]])))
    return Result(float(np.mean(accuracies)), len(run.labelled), run.drifts)


def _size(labels: int | None, number: int, rounds: int) -> int:
    """Return the size of a round: always the same, or its even share of `labels`.

    >>> [_size(28, number, 3) for number in range(3)]  # 20 of the 28 were there before
    [2, 3, 3]
    """
    if labels is None:
        return ROUND
    left = labels - NEW_LABELS
    return left * (number + 1) // rounds - left * number // rounds


class _Run:
    """The stream, the labels, the head and the watch of one run."""

    def __init__(self, told: Trial, data: Data, speakers_N: Ints) -> None:
        self.told, self.data = told, data
        self.rng = np.random.default_rng(told.seed)
        self.strategy = get_strategy(told.strategy)
        self.tests: dict[int, Ints] = {}
        self.stream = self._in_order(speakers_N)
        self.sure_N = np.zeros(len(speakers_N), np.float32)  # confidence as each sample came
        self.versions = [""] * len(speakers_N)
        self.labelled = self.stream[:NEW_LABELS]
        self.drifts = self.version = 0
        self.hasty: int | None = None  # labels there were when drift was told, if no head was trained since
        self.watch = DriftWatch(
            DriftSettings(
                detector="page-hinkley", block=BLOCK, reference=8 * BLOCK,
                again_after=WINDOW, lasts=3 * EVERY,
                raise_budget=told.actions.raise_budget, shrink_window=told.actions.shrink_window,
            ), 0,
        )  # fmt: skip
        self.train()
        self.arrive(0, EVERY)

    def _in_order(self, speakers_N: Ints) -> Ints:
        """Return recordings speaker by speaker, both in the seed's order; some of each are held out."""
        parts: list[Ints] = []
        for speaker in self.rng.permutation(int(speakers_N.max()) + 1).tolist():
            rows = self.rng.permutation(np.flatnonzero(speakers_N == speaker))
            held_out = round(TEST_SHARE * len(rows))
            self.tests[speaker] = rows[:held_out]
            parts.append(rows[held_out:])
        return np.concatenate(parts)

    def train(self) -> None:
        """Fit a head to all labels."""
        classes_L = self.data.classes_N[self.labelled]
        self.head: Head = fitted(self.data.features_ND[self.labelled], classes_L, self.data.classes)
        self.version += 1
        self.learned, self.hasty = len(self.labelled), None

    def train_if_due(self) -> None:
        """Train where enough labels are new; after a drift, where one is newer than that."""
        hasty = self.hasty is not None and len(self.labelled) > self.hasty
        if hasty or len(self.labelled) - self.learned >= NEW_LABELS:
            self.train()

    def arrive(self, first: int, last: int) -> None:
        """Score the next samples with the head of the moment; look for drift."""
        rows = self.stream[first:last]
        self.sure_N[rows] = self.probs(rows).max(axis=1)
        for row in rows.tolist():
            self.versions[row] = f"v{self.version}"
        told = self.watch.look(last, last, lambda count: self.newest(last, count))
        self.drifts += bool(told)
        if told and self.told.actions.retrain and self.hasty is None:
            self.hasty = len(self.labelled)
        self.train_if_due()

    def newest(self, seen: int, count: int) -> Rows:
        """Return the newest rows of the window, as they came."""
        first = max(0, seen - min(count, WINDOW))
        at = self.stream[first:seen]
        return Rows(
            np.arange(first, seen), self.sure_N[at], self.data.features_ND[at],
            [self.versions[row] for row in at.tolist()], ["e"] * len(at),
        )  # fmt: skip

    def hold_round(self, seen: int, size: int) -> None:
        """Label some of the window, by the actions that hold."""
        acting = self.watch.acting(seen)
        window = self.stream[max(0, seen - round(WINDOW * (acting.window_share or 1.0))) : seen]
        free = window[~np.isin(window, self.labelled)]
        emb = self.data.features_ND
        candidates = Window(
            self.head.probs(emb[free]), emb[free], emb[self.labelled], keys_B=free.astype(np.uint64)
        )
        count = min(len(free), round(size * acting.budget_factor))
        chosen = self.strategy.select(candidates, count, self.rng)
        self.labelled = np.concatenate([self.labelled, free[chosen.indices]])
        self.train_if_due()

    def probs(self, rows: Ints) -> NDArray[np.float32]:
        """Return the probabilities that the head gives."""
        return self.head.probs(self.data.features_ND[rows]).mean(axis=1)

    def accuracy(self, speaker: int) -> float:
        """Return the accuracy on the held-out recordings of a speaker."""
        test = self.tests[speaker]
        return float((self.probs(test).argmax(axis=1) == self.data.classes_N[test]).mean())
