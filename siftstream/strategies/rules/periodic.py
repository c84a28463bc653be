"""Periodic: ask for every so many-th label, from a start drawn at random."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic.dataclasses import dataclass

from siftstream.strategies.needs import Need
from siftstream.strategies.rules.draws import draws_of
from siftstream.strategies.rules.rule import Decision, StreamRule, without_slots
from siftstream.strategies.rules.state import RuleState
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class Periodic(StreamRule):
    """Ask for sample n, counted from 1, where floor(n budget + u) > floor((n - 1) budget + u), u in [0, 1).

    u is drawn once a stream, so each sample has the same chance, and spending is never a label off.

    >>> window = Window(np.full((8, 1, 2), 0.5), np.zeros((8, 0)))
    >>> rule = Periodic(budget=0.25)
    >>> rule.decide(window, rule.start(np.random.default_rng(0))).rows.tolist()
    [3, 7]
    """

    name: ClassVar[str] = "periodic"
    cost: ClassVar[str] = "1"
    when: ClassVar[str] = "As bernoulli with an exact budget; not where the stream itself has a period."
    source: ClassVar[str] = (
        "Madow and Madow, On the theory of systematic sampling, Annals of Mathematical Statistics 15, 1944"
    )
    needs: ClassVar[frozenset[Need]] = frozenset()

    def walk(self, window: Window, state: RuleState) -> Decision:
        """Count."""
        start = draws_of(state.seed, 0, 1)[0, 0]
        due = np.floor(np.arange(state.seen, state.seen + len(window) + 1) * self.budget + start)
        taken_B = np.diff(due) > 0
        seen, asked = state.seen + len(window), state.asked + int(taken_B.sum())
        return without_slots(taken_B, replace(state, seen=seen, asked=asked))

    def most_asked(self, seen: int) -> float:
        """Return the budget's share and one label."""
        return seen * self.budget + 1 if self.budget else 0.0
