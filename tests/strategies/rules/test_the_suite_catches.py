"""Each check of the stream rules' suite fails on a rule that breaks it."""

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from pydantic.dataclasses import dataclass

from siftstream.strategies import Need, Window
from siftstream.strategies.rules import Decision, RuleState, StreamRule
from siftstream.strategies.rules import conformance as suite
from siftstream.strategies.rules.rule import without_slots


@dataclass(frozen=True)
class Sound(StreamRule):
    """Asks for every sample whose number is a multiple of ten."""

    name: ClassVar[str] = "sound"
    cost: ClassVar[str] = "1"
    when: ClassVar[str] = "In a test."
    source: ClassVar[str] = "A test."
    needs: ClassVar[frozenset[Need]] = frozenset()

    def takes(self, window: Window, numbers: np.ndarray) -> np.ndarray:
        return (numbers % 10 == 9) & (self.budget > 0)

    def walk(self, window: Window, state: RuleState) -> Decision:
        taken_B = self.takes(window, np.arange(state.seen, state.seen + len(window)))
        return without_slots(taken_B, self.after(state, taken_B))

    def after(self, state: RuleState, taken_B: np.ndarray) -> RuleState:
        return replace(state, seen=state.seen + len(taken_B), asked=state.asked + int(taken_B.sum()))

    def most_asked(self, seen: int) -> float:
        return seen * self.budget + 1 if self.budget else 0.0


@dataclass(frozen=True)
class Overspends(Sound):
    """Asks for all."""

    def takes(self, window: Window, numbers: np.ndarray) -> np.ndarray:
        return np.ones(len(numbers), bool)


@dataclass(frozen=True)
class CountsInItsBatch(Sound):
    """Asks for the first of each batch."""

    def takes(self, window: Window, numbers: np.ndarray) -> np.ndarray:
        return (np.arange(len(numbers)) == 0) & (self.budget > 0)


@dataclass(frozen=True)
class Forgets(Sound):
    """Begins anew after JSON."""

    def from_json(self, text: str) -> RuleState:
        return replace(super().from_json(text), seen=0)


@dataclass(frozen=True)
class Miscounts(Sound):
    """Does not count what it asked."""

    def after(self, state: RuleState, taken_B: np.ndarray) -> RuleState:
        return replace(state, seen=state.seen + len(taken_B))


@dataclass(frozen=True)
class HidesItsNeeds(Sound):
    """Reads metadata that it does not declare."""

    def takes(self, window: Window, numbers: np.ndarray) -> np.ndarray:
        self.require_metadata(window)
        return super().takes(window, numbers)

    def require_metadata(self, window: Window) -> None:
        from siftstream.schemas.errors import StrategyError

        if window.metadata is None:
            raise StrategyError("no metadata")


@dataclass(frozen=True)
class Draws(Sound):
    """Draws from nowhere."""

    def takes(self, window: Window, numbers: np.ndarray) -> np.ndarray:
        return (np.random.default_rng().random(len(numbers)) < 0.5) & (self.budget > 0)


@dataclass(frozen=True)
class SaysNothing(Sound):
    """Has an empty source."""

    source: ClassVar[str] = " "


def test_a_sound_rule_of_ones_own_passes() -> None:
    suite.check_rule(Sound())


@pytest.mark.parametrize(
    ("rule", "check"),
    [
        (Overspends(), suite.the_budget_is_held),
        (Overspends(), suite.no_budget_asks_nothing),
        (CountsInItsBatch(), suite.batches_do_not_show),
        (Forgets(), suite.a_restart_does_not_show),
        (Miscounts(), suite.degenerate_rows_are_decided),
        (HidesItsNeeds(), suite.what_it_lacks_is_refused),
        (Draws(), suite.the_seed_decides),
        (SaysNothing(), suite.it_says_what_it_is),
    ],
)
def test_a_check_fails_on_what_breaks_it(rule: StreamRule, check: Callable[[StreamRule], None]) -> None:
    with pytest.raises(AssertionError):
        check(rule)
