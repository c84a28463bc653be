"""Any and all: stopping rules joined."""

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.stopping.history import Evidence, History
from siftstream.strategies.stopping.registry import stopping_of
from siftstream.strategies.stopping.rule import StoppingRule, Verdict

Rule = Annotated[StoppingRule, BeforeValidator(stopping_of)]


@dataclass(frozen=True)
class Joined(StoppingRule):
    """Checks some rules; their reasons stand one after another."""

    cost: ClassVar[str] = "that of its rules"
    source: ClassVar[str] = (
        "Zhu, Wang and Hovy, Multi-criteria-based strategy to stop active learning for data annotation,"
        " COLING 2008"
    )

    rules: tuple[Rule, ...] = Field(
        min_length=1, description="Rules, each a name or a mapping of `name` and its parameters."
    )

    @property
    def reads(self) -> frozenset[Evidence]:
        """What any of its rules reads."""
        return self.needs.union(*(rule.reads for rule in self.rules))

    def verdicts(self, history: History) -> list[tuple[str, Verdict]]:
        """Return each rule's name and verdict."""
        return [(rule.name, rule.check(history)) for rule in self.rules]


@dataclass(frozen=True)
class AnyOf(Joined):
    """Stop where one of the rules says so.

    >>> rule = AnyOf(rules=("label_limit", {"name": "exhausted_gain", "threshold": 0.1, "rounds": 1}))
    >>> rule.check(History(labels=(400,), highest=(0.05,))).reason
    'exhausted_gain: the last 1 rounds had scores up to 0.05, under 0.1'
    """

    name: ClassVar[str] = "any"
    when: ClassVar[str] = "To end at a limit of labels, or before it."

    def judge(self, history: History) -> Verdict:
        """Stop with the reasons of those that say so; the value is the share of rules that do."""
        verdicts = self.verdicts(history)
        saying = [pair for pair in verdicts if pair[1].stop]
        return Verdict(bool(saying), len(saying) / len(verdicts), _reasons(saying or verdicts))


@dataclass(frozen=True)
class AllOf(Joined):
    """Stop where all of the rules say so.

    >>> rule = AllOf(rules=("label_limit", {"name": "exhausted_gain", "threshold": 0.1, "rounds": 1}))
    >>> rule.check(History(labels=(400,), highest=(0.05,))).reason
    'label_limit: 400 of 1000 labels'
    """

    name: ClassVar[str] = "all"
    when: ClassVar[str] = "Where one rule alone stops too early."

    def judge(self, history: History) -> Verdict:
        """Go on with the reasons of those that say so; the value is the share of rules that say stop."""
        verdicts = self.verdicts(history)
        against = [pair for pair in verdicts if not pair[1].stop]
        return Verdict(not against, 1.0 - len(against) / len(verdicts), _reasons(against or verdicts))


def _reasons(verdicts: list[tuple[str, Verdict]]) -> str:
    return "; ".join(f"{name}: {verdict.reason}" for name, verdict in verdicts)
