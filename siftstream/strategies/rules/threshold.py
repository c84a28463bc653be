"""What the uncertainty rules share: confidence against a threshold, and an estimate of what was spent."""

from abc import abstractmethod
from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.rules.draws import draws_of
from siftstream.strategies.rules.rule import Decision, StreamRule, without_slots
from siftstream.strategies.rules.state import RuleState
from siftstream.strategies.uncertainty.base import mean_probs
from siftstream.strategies.window import Window

LEAST = 1e-9  # a threshold at 0 could not rise again; confidence is never so low but for rows of zeros


@dataclass(frozen=True)
class ThresholdState(RuleState):
    """`threshold`: the confidence under which a label is asked."""

    threshold: float = 1.0


@dataclass(frozen=True)
class ThresholdRule(StreamRule):
    """Asks where the highest class probability is under a threshold, while the budget is not spent.

    Spending is the papers' estimate over the last `memory` samples, u <- u (w - 1) / w + asked, and a label
    may be asked while u / w is under the budget. It runs over the budget by at most 1 / w of the stream.
    """

    remembers: ClassVar[type[RuleState]] = ThresholdState
    cost: ClassVar[str] = "M C"

    memory: int | None = Field(
        default=100,
        gt=0,
        description="Samples over which spending is estimated, w; several times 1 / budget keeps it exact."
        " None: labels asked so far over samples seen so far.",
    )

    @abstractmethod
    def ask(
        self, confidence: float, threshold: float, draws: list[float], classes: int
    ) -> tuple[bool, float]:
        """Return whether to ask for the label of one sample, and the threshold after it."""

    def confidence(self, window: Window) -> NDArray[np.float64]:
        """Return the highest mean probability of each row, [B]."""
        return mean_probs(window).max(axis=1)

    def walk(self, window: Window, state: RuleState) -> Decision:
        """Walk over the rows."""
        assert isinstance(state, ThresholdState)
        confidence = self.confidence(window).tolist()
        draws = draws_of(state.seed, state.seen, len(window)).tolist()
        taken_B = np.zeros(len(window), bool)
        seen, asked, spent, threshold = state.seen, state.asked, state.spent, state.threshold
        for row, sure in enumerate(confidence):
            seen += 1
            take = False
            if self.may_ask(seen, asked, spent):
                take, threshold = self.ask(sure, threshold, draws[row], window.classes)
                threshold = max(threshold, LEAST)
            taken_B[row] = take
            asked += take
            spent = self.after(spent, take)
        after = replace(state, seen=seen, asked=asked, spent=spent, threshold=threshold)
        return without_slots(taken_B, after)

    def may_ask(self, seen: int, asked: int, spent: float) -> bool:
        """Tell whether the budget has room for a label of sample number `seen`, counted from 1."""
        return (spent / self.memory if self.memory else asked / seen) < self.budget

    def after(self, spent: float, take: bool) -> float:
        """Return the estimate of spending after one more sample."""
        return spent * (self.memory - 1) / self.memory + take if self.memory else 0.0

    def most_asked(self, seen: int) -> float:
        """Return the share of the budget and 1 / w, and what fills the memory once."""
        if not self.budget:
            return 0.0
        if self.memory is None:
            return seen * self.budget + 1
        return seen * (self.budget + 1 / self.memory) + self.budget * self.memory + 1


def adapted(threshold: float, step: float, take: bool) -> float:
    """Return the threshold after a sample: lower where its label was asked, else higher.

    >>> adapted(1.0, 0.01, True), adapted(1.0, 0.01, False)
    (0.99, 1.01)
    """
    return threshold * (1.0 - step) if take else threshold * (1.0 + step)
