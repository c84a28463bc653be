"""Balanced incremental quantile filter: ask for the samples in the upper quantile of the last ones."""

from bisect import bisect_left, insort
from collections import deque
from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.needs import Need
from siftstream.strategies.registry import strategy_of
from siftstream.strategies.rules.rule import Decision, StreamRule, without_slots
from siftstream.strategies.rules.state import RuleState
from siftstream.strategies.strategy import RowStrategy, Strategy
from siftstream.strategies.uncertainty.margin import Margin
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class QuantileState(RuleState):
    """`recent`: how useful the last samples were."""

    recent: tuple[float, ...] = ()


def _by_row(said: object) -> Strategy:
    made = strategy_of(said)  # type: ignore[arg-type]
    if not isinstance(made, RowStrategy):
        raise ValueError(
            f"{made.name} scores samples beside others; name one that scores each by itself, as margin"
        )
    return made


@dataclass(frozen=True)
class BalancedIncrementalQuantileFilter(StreamRule):
    """Ask where u >= q - (max - min) (budget n - asked) / tolerance, q the 1 - budget quantile of the last.

    u is how useful the sample is; maximum, minimum and quantile are of the last `last` values of u, its own
    among them. Behind the budget the bar sinks, ahead of it it rises. One thing is added: a rule that is
    `tolerance` labels ahead asks for none, which only shows where all values are equal.

    >>> probs = np.array([[0.9, 0.1], [0.6, 0.4], [0.95, 0.05], [0.5, 0.5]])
    >>> rule = BalancedIncrementalQuantileFilter(budget=0.5)
    >>> window = Window(probs[:, None], np.zeros((4, 0)))
    >>> rule.decide(window, rule.start(np.random.default_rng(0))).taken_B.tolist()
    [True, True, False, True]
    """

    name: ClassVar[str] = "balanced_incremental_quantile_filter"
    cost: ClassVar[str] = "the score + last"
    when: ClassVar[str] = (
        "Turns any score of a single sample into a rule that holds its budget closely; it needs no threshold."
    )
    source: ClassVar[str] = (
        "Kottke, Krempl and Spiliopoulou, Probabilistic active learning in datastreams, IDA 2015, section 3.2"
    )
    needs: ClassVar[frozenset[Need]] = frozenset()
    remembers: ClassVar[type[RuleState]] = QuantileState

    score: Annotated[Strategy, BeforeValidator(_by_row)] = Field(
        default_factory=Margin, description="The strategy whose score of a sample says how useful it is, u."
    )
    last: int = Field(default=100, gt=0, description="Samples among which the quantile is taken, w.")
    tolerance: float = Field(
        default=50.0, gt=0.0, allow_inf_nan=False, description="Labels it may be ahead or behind, w_tol."
    )

    @property
    def reads(self) -> frozenset[Need]:
        """What its score needs."""
        return self.score.reads

    def walk(self, window: Window, state: RuleState) -> Decision:
        """Walk over the rows."""
        assert isinstance(state, QuantileState)
        assert isinstance(self.score, RowStrategy)
        useful = self.score.score(window, np.random.default_rng(0)).tolist()  # such a score draws nothing
        recent, ranked = deque(state.recent, self.last), sorted(state.recent[-self.last :])
        taken_B = np.zeros(len(window), bool)
        seen, asked = state.seen, state.asked
        for row, value in enumerate(useful):
            seen += 1
            if len(recent) == self.last:
                del ranked[bisect_left(ranked, recent[0])]
            recent.append(value)
            insort(ranked, value)
            left = self.budget * seen - asked
            bar = quantile(ranked, 1.0 - self.budget) - (ranked[-1] - ranked[0]) * left / self.tolerance
            taken_B[row] = take = self.budget > 0.0 and value >= bar and left > -self.tolerance
            asked += take
        return without_slots(taken_B, replace(state, seen=seen, asked=asked, recent=tuple(recent)))

    def most_asked(self, seen: int) -> float:
        """Return the budget's share and the tolerance."""
        return seen * self.budget + self.tolerance + 1 if self.budget else 0.0


def quantile(ranked: list[float], share: float) -> float:
    """Return the quantile of numbers in ascending order, by line between neighbours, as numpy's default.

    >>> quantile([1.0, 2.0, 4.0], 0.75)
    3.0
    """
    place = (len(ranked) - 1) * share
    lower = int(place)
    upper, part = min(lower + 1, len(ranked) - 1), place - lower
    apart = ranked[upper] - ranked[lower]
    return ranked[upper] - apart * (1.0 - part) if part >= 0.5 else ranked[lower] + apart * part
