"""The contract of a stream rule: its parameters, what it says of itself, and `decide`."""

from abc import ABC, abstractmethod
from dataclasses import dataclass as plain_dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from siftstream.schemas.errors import StrategyError
from siftstream.strategies.needs import MEANS, REMEDY, Need
from siftstream.strategies.rules.state import RuleState
from siftstream.strategies.window import Window


@plain_dataclass(frozen=True, eq=False)
class Decision:
    """What a rule decided for each sample of a batch, and the state for the next batch.

    `taken_B`: whether a label is asked. `slots_B`: the slot that a taken sample goes to, from which the one
    that was there before drops; -1 for rules that drop nothing.
    """

    taken_B: NDArray[np.bool_]
    slots_B: NDArray[np.int64]
    state: RuleState

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows of the batch whose labels are asked, in order of arrival."""
        return np.flatnonzero(self.taken_B)


@dataclass(frozen=True)
class StreamRule(ABC):
    """Decides sample by sample, as they arrive, whether to ask for a label.

    A rule is its parameters; what it remembers is a state that `start` makes and `decide` hands on. Nothing
    hangs on how a stream is cut into batches: random numbers belong to the n-th sample of the stream (from
    the state's seed and n), not to calls.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: ClassVar[str]
    family: ClassVar[str] = "stream rules"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBS})
    cost: ClassVar[str]  # time of a sample
    when: ClassVar[str]
    source: ClassVar[str]
    remembers: ClassVar[type[RuleState]] = RuleState

    budget: float = Field(
        default=0.1, ge=0.0, le=1.0, description="Labels to ask for, as a share of the stream's samples."
    )

    @property
    def reads(self) -> frozenset[Need]:
        """What it needs with these parameters."""
        return self.needs

    def start(self, rng: np.random.Generator) -> RuleState:
        """Return the state before the first sample; its seed is drawn from `rng`."""
        return self.remembers(rule=self.name, seed=int(rng.integers(2**63)))

    def decide(self, window: Window, state: RuleState) -> Decision:
        """Decide for each row of `window`, which are samples in order of arrival.

        Raises:
            StrategyError: the window lacks what the rule needs, or the state is another rule's.
        """
        for need in sorted(self.reads):
            if not window.has(need):
                raise StrategyError(
                    f"{self.name}: needs {need} ({MEANS[need]}), and this window has none: {REMEDY[need]}"
                )
        if state.rule != self.name or not isinstance(state, self.remembers):
            raise StrategyError(
                f"{self.name}: was given the state of {state.rule!r}; begin with start() of this rule"
            )
        return self.walk(window, state)

    @abstractmethod
    def walk(self, window: Window, state: RuleState) -> Decision:
        """Decide for each row of a window that has what `reads` names, from a state of this rule."""

    @abstractmethod
    def most_asked(self, seen: int) -> float:
        """Return how many labels it asks for at most among the first `seen` samples, of any stream.

        Rules that draw at random promise it with a chance of error under 1e-6.
        """

    def from_json(self, text: str) -> RuleState:
        """Return the state that `RuleState.to_json` wrote.

        Raises:
            StrategyError: the text is no state of this rule.
        """
        try:
            return TypeAdapter(self.remembers).validate_json(text)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            raise StrategyError(
                f"{self.name}: the text is no state of this rule ({fault['loc']}: {fault['msg']});"
                " begin with start() again"
            ) from error


def without_slots(taken_B: NDArray[np.bool_], state: RuleState) -> Decision:
    """Return the decision of a rule that drops nothing."""
    return Decision(taken_B, np.full(len(taken_B), -1, np.int64), state)


def most_of_binomial(seen: int, budget: float) -> float:
    """Return what a binomial count exceeds with a chance of under 1e-6 (Bernstein's inequality).

    >>> round(most_of_binomial(10_000, 0.1))
    1162
    """
    spread = 2.0 * np.log(1e6) * seen * budget * (1.0 - budget)
    slack = np.log(1e6) / 3.0
    return float(seen * budget + slack + np.sqrt(slack**2 + spread))
