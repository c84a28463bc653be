"""Bernoulli: ask for each label with the same chance, whatever the sample."""

from dataclasses import replace
from typing import ClassVar

from pydantic.dataclasses import dataclass

from siftstream.strategies.needs import Need
from siftstream.strategies.rules.draws import draws_of
from siftstream.strategies.rules.rule import Decision, StreamRule, most_of_binomial, without_slots
from siftstream.strategies.rules.state import RuleState
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class Bernoulli(StreamRule):
    """Ask where u < budget, u drawn from U(0, 1) for each sample.

    >>> import numpy as np
    >>> window = Window(np.full((10_000, 1, 2), 0.5), np.zeros((10_000, 0)))
    >>> rule = Bernoulli(budget=0.1)
    >>> int(rule.decide(window, rule.start(np.random.default_rng(0))).taken_B.sum())
    995
    """

    name: ClassVar[str] = "bernoulli"
    cost: ClassVar[str] = "1"
    when: ClassVar[str] = "The baseline that another rule must beat, and an unbiased sample of the stream."
    source: ClassVar[str] = (
        "Zliobaite, Bifet, Pfahringer and Holmes, Active learning with drifting streaming data, IEEE TNNLS"
        " 25(1), 2014, random strategy"
    )
    needs: ClassVar[frozenset[Need]] = frozenset()

    def walk(self, window: Window, state: RuleState) -> Decision:
        """Draw for each row."""
        taken_B = draws_of(state.seed, state.seen, len(window))[:, 0] < self.budget
        seen, asked = state.seen + len(window), state.asked + int(taken_B.sum())
        return without_slots(taken_B, replace(state, seen=seen, asked=asked))

    def most_asked(self, seen: int) -> float:
        """Return the bound of a binomial count, with a chance of error under 1e-6."""
        return most_of_binomial(seen, self.budget)
