"""Reservoir: keep a sample of fixed size of all that the stream has brought so far."""

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.needs import Need
from siftstream.strategies.rules.draws import draws_of
from siftstream.strategies.rules.rule import Decision, StreamRule, most_of_binomial
from siftstream.strategies.rules.state import RuleState
from siftstream.strategies.uncertainty.base import mean_probs
from siftstream.strategies.uncertainty.margin import Margin
from siftstream.strategies.window import Window

LEAST_WEIGHT = 1e-9  # a sample of no weight still may fill an empty slot


@dataclass(frozen=True)
class ReservoirState(RuleState):
    """`held`: the key of the sample in each slot, ln(u) / weight; it stays while it is among the highest."""

    held: tuple[float, ...] = ()


@dataclass(frozen=True)
class Reservoir(StreamRule):
    """Keep the `size` samples of the highest u^(1 / weight), u drawn from U(0, 1) for each sample.

    With equal weights every sample of the stream so far is in the reservoir with the same chance (the law of
    algorithm R). A taken sample goes to the slot that the decision names, and the one that was there drops:
    whoever asks for labels asks for what the slots hold at that moment, and withdraws what drops.
    To hold a budget, a sample may only enter with a chance of `budget`, drawn before, which keeps the chances
    equal: samples that enter are under that share of the stream, and ever fewer, size (1 + ln(n / size)).

    >>> window = Window(np.full((6, 1, 2), 0.5), np.zeros((6, 0)))
    >>> rule = Reservoir(size=2, budget=1.0)
    >>> rule.decide(window, rule.start(np.random.default_rng(0))).slots_B.tolist()
    [0, 1, 1, -1, 1, -1]
    """

    name: ClassVar[str] = "reservoir"
    cost: ClassVar[str] = "1, and size where a sample enters"
    when: ClassVar[str] = (
        "A fair sample of a stream whose end nobody knows, as for an audit or a start; its labels come late."
    )
    source: ClassVar[str] = (
        "Efraimidis and Spirakis, Weighted random sampling with a reservoir, IPL 97(5), 2006,"
        " algorithm A-Res; Vitter, Random sampling with a reservoir, ACM TOMS 11(1), 1985"
    )
    needs: ClassVar[frozenset[Need]] = frozenset()
    remembers: ClassVar[type[RuleState]] = ReservoirState

    size: int = Field(default=100, gt=0, description="Samples that it holds.")
    weight: Literal["equal", "margin"] = Field(
        default="equal",
        description="`equal`: every sample alike; `margin`: by 1 minus the gap of the two likeliest classes.",
    )

    @property
    def reads(self) -> frozenset[Need]:
        """Probabilities where they give the weights."""
        return frozenset({Need.PROBS}) if self.weight == "margin" else self.needs

    def walk(self, window: Window, state: RuleState) -> Decision:
        """Walk over the rows that may enter."""
        assert isinstance(state, ReservoirState)
        draws_B4 = draws_of(state.seed, state.seen, len(window))
        weights_B = np.ones(len(window))
        if self.weight == "margin":
            weights_B = np.maximum(Margin.of(mean_probs(window)), LEAST_WEIGHT)
        keys_B = np.log1p(-draws_B4[:, 1]) / weights_B
        slots_B = np.full(len(window), -1, np.int64)
        held = list(state.held)
        for row in np.flatnonzero(draws_B4[:, 0] < self.budget).tolist():
            key = float(keys_B[row])
            if len(held) < self.size:
                slots_B[row] = len(held)
                held.append(key)
            elif key > (least := min(held)):
                slots_B[row] = slot = held.index(least)
                held[slot] = key
        taken_B = slots_B >= 0
        after = replace(
            state,
            seen=state.seen + len(window),
            asked=state.asked + int(taken_B.sum()),
            held=tuple(held),
        )
        return Decision(taken_B, slots_B, after)

    def most_asked(self, seen: int) -> float:
        """Return what may enter, with a chance of error under 1e-6."""
        return most_of_binomial(seen, self.budget)
