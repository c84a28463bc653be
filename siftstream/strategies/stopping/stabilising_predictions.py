"""Stabilising predictions: successive models agree on unlabelled samples, beyond chance."""

from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.stopping.history import Evidence, History
from siftstream.strategies.stopping.rule import StoppingRule, Verdict, too_early


@dataclass(frozen=True)
class StabilisingPredictions(StoppingRule):
    """Stop where the mean of the last `pairs` kappas of successive versions is at least `agreement`.

    Kappa is (A - E) / (1 - E), A the share of the stop set on which two versions agree, E the share on which
    they would agree by chance. Time O(pairs S).

    >>> same = np.array([0, 1, 1, 0])
    >>> StabilisingPredictions(pairs=2).check(History((same, same, same)))
    Verdict(stop=True, value=1.0, reason='the last 2 kappas average 1.000, at least 0.99')
    """

    name: ClassVar[str] = "stabilising_predictions"
    needs: ClassVar[frozenset[Evidence]] = frozenset({Evidence.PREDICTIONS})
    cost: ClassVar[str] = "pairs S"
    when: ClassVar[str] = (
        "The first choice: it needs no labels. Small rounds change little and stop it early, so let each"
        " version have a round's worth of new labels."
    )
    source: ClassVar[str] = (
        "Bloodgood and Vijay-Shanker, A method for stopping active learning based on stabilizing predictions"
        " and the need for user-adjustable stopping, CoNLL 2009, section 3; Cohen, 1960"
    )

    agreement: float = Field(default=0.99, gt=0.0, le=1.0, description="Mean kappa at which to stop.")
    pairs: int = Field(default=3, gt=0, description="Pairs of successive versions that are averaged.")

    def judge(self, history: History) -> Verdict:
        """Average the last kappas."""
        versions = history.predictions[-(self.pairs + 1) :]
        if len(versions) <= self.pairs:
            return too_early(len(versions), self.pairs + 1, "versions")
        value = float(np.mean([kappa(*pair) for pair in pairwise(versions)]))
        stop = value >= self.agreement
        word = "at least" if stop else "under"
        return Verdict(
            stop, value, f"the last {self.pairs} kappas average {value:.3f}, {word} {self.agreement:g}"
        )


def kappa(first_S: NDArray[np.int64], second_S: NDArray[np.int64]) -> float:
    """Return Cohen's kappa of two sets of classes; 1 where both say one and the same class everywhere.

    >>> kappa(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]))  # A = 3/4, E = 1/2
    0.5
    """
    agree = float(np.mean(first_S == second_S))
    classes, numbers = np.unique(np.concatenate([first_S, second_S]), return_inverse=True)
    shares = [
        np.bincount(part, minlength=len(classes)) / len(part) for part in np.split(numbers.reshape(-1), 2)
    ]
    chance = float((shares[0] * shares[1]).sum())
    return 1.0 if agree == 1.0 else (agree - chance) / (1.0 - chance)
