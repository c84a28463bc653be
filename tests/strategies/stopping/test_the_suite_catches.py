"""Each check of the stopping rules' suite fails on a rule that breaks it."""

from collections.abc import Callable
from typing import ClassVar

import pytest
from pydantic.dataclasses import dataclass

from siftstream.strategies.stopping import Evidence, History, StoppingRule, Verdict
from siftstream.strategies.stopping import conformance as suite


@dataclass(frozen=True)
class Sound(StoppingRule):
    """Stops at five labels."""

    name: ClassVar[str] = "sound"
    cost: ClassVar[str] = "1"
    when: ClassVar[str] = "In a test."
    source: ClassVar[str] = "A test."
    needs: ClassVar[frozenset[Evidence]] = frozenset({Evidence.LABELS})

    def judge(self, history: History) -> Verdict:
        return Verdict(history.labels[-1] > 5, float(history.labels[-1]), "labels")


@dataclass(frozen=True)
class StopsWithoutAValue(Sound):
    """Says no number."""

    def judge(self, history: History) -> Verdict:
        return Verdict(True, None, "because")


@dataclass(frozen=True)
class DividesByTheScore(Sound):
    """Is infinite where the score is 0."""

    def judge(self, history: History) -> Verdict:
        return Verdict(False, 1 / history.highest[-1] if history.highest[-1] else float("inf"), "score")


@dataclass(frozen=True)
class NeedsMoreThanItReads(Sound):
    """Declares evidence, and does not refuse its lack."""

    def check(self, history: History) -> Verdict:
        return Verdict(False, 0.0, "whatever")


@dataclass(frozen=True)
class SaysNothing(Sound):
    """Has an empty use."""

    when: ClassVar[str] = ""


@dataclass(frozen=True)
class Writes(Sound):
    """Writes to the predictions."""

    def judge(self, history: History) -> Verdict:
        history.predictions[0][:] = 7
        return super().judge(history)


def test_a_sound_rule_of_ones_own_passes() -> None:
    suite.check_stopping(Sound())


@pytest.mark.parametrize(
    ("rule", "check"),
    [
        (StopsWithoutAValue(), suite.any_history_is_judged),
        (DividesByTheScore(), suite.degenerate_histories_are_judged),
        (NeedsMoreThanItReads(), suite.what_it_lacks_is_refused),
        (SaysNothing(), suite.it_says_what_it_is),
        (Writes(), suite.inputs_are_not_written_to),
    ],
)
def test_a_check_fails_on_what_breaks_it(rule: StoppingRule, check: Callable[[StoppingRule], None]) -> None:
    with pytest.raises(AssertionError):
        check(rule)
