"""Delta-F: how much the F-measure is predicted to have changed between successive models."""

from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.stopping.history import Evidence, History
from siftstream.strategies.stopping.rule import StoppingRule, Verdict, too_early


@dataclass(frozen=True)
class DeltaF(StoppingRule):
    """Stop where 1 - 2a / (2a + b + c) is under `change` for each of the last `pairs` pairs of versions.

    a counts the stop set's samples that both versions call positive, b and c those that only one does. Where
    neither calls any positive, nothing has changed: 0. Time O(pairs S), times C for all classes.

    >>> first, second = np.array([1, 1, 1, 0]), np.array([1, 1, 0, 0])  # a = 2, b = 1, c = 0
    >>> DeltaF(pairs=1).check(History((first, second))).reason
    'F may have changed by 0.200 among the last 1 pairs, not under 0.005'
    """

    name: ClassVar[str] = "delta_f"
    needs: ClassVar[frozenset[Evidence]] = frozenset({Evidence.PREDICTIONS})
    cost: ClassVar[str] = "pairs S"
    when: ClassVar[str] = (
        "As stabilising predictions where one class is looked for and rare: only its agreement counts."
    )
    source: ClassVar[str] = (
        "Altschuler and Bloodgood, Stopping active learning based on predicted change of F measure for text"
        " classification, ICSC 2019, section III; the mean over classes is an extension"
    )

    change: float = Field(
        default=0.005,
        gt=0.0,
        le=1.0,
        description="Predicted change of F under which to stop; this default is ours.",
    )
    pairs: int = Field(default=3, gt=0, description="Pairs of successive versions that must all be under it.")
    positive: int | None = Field(
        default=1,
        ge=0,
        description="Number of the class that counts as positive; none: the mean over the classes that either"
        " version names.",
    )

    def judge(self, history: History) -> Verdict:
        """Take the largest of the last changes."""
        versions = history.predictions[-(self.pairs + 1) :]
        if len(versions) <= self.pairs:
            return too_early(len(versions), self.pairs + 1, "versions")
        value = max(self._change_of(*pair) for pair in pairwise(versions))
        stop = value < self.change
        word = "under" if stop else "not under"
        return Verdict(
            stop,
            value,
            f"F may have changed by {value:.3f} among the last {self.pairs} pairs, {word} {self.change:g}",
        )

    def _change_of(self, first_S: NDArray[np.int64], second_S: NDArray[np.int64]) -> float:
        if self.positive is not None:
            return predicted_change(first_S == self.positive, second_S == self.positive)
        named = np.unique(np.concatenate([first_S, second_S]))
        return float(np.mean([predicted_change(first_S == one, second_S == one) for one in named]))


def predicted_change(first_S: NDArray[np.bool_], second_S: NDArray[np.bool_]) -> float:
    """Return 1 - 2a / (2a + b + c), which is (b + c) / (2a + b + c)."""
    apart = int((first_S ^ second_S).sum())
    both = int((first_S & second_S).sum())
    return apart / (2 * both + apart) if both or apart else 0.0
