"""The contract of a stopping rule: its parameters, what it says of itself, and `check`."""

from abc import ABC, abstractmethod
from dataclasses import dataclass as plain_dataclass
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from siftstream.schemas.errors import StrategyError
from siftstream.strategies.stopping.history import SOURCE, Evidence, History


@plain_dataclass(frozen=True)
class Verdict:
    """Whether to stop, the number that was compared (none where there is too little to tell), and why."""

    stop: bool
    value: float | None
    reason: str


@dataclass(frozen=True)
class StoppingRule(ABC):
    """Says from what was seen whether more labels would still teach the model something.

    A pure function: the same history gives the same verdict, and nothing is remembered between calls.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: ClassVar[str]
    family: ClassVar[str] = "stopping"
    needs: ClassVar[frozenset[Evidence]] = frozenset()
    cost: ClassVar[str]  # time of a check; S samples of the stop set
    when: ClassVar[str]
    source: ClassVar[str]

    @property
    def reads(self) -> frozenset[Evidence]:
        """What it needs with these parameters; rules made of others add theirs."""
        return self.needs

    def check(self, history: History) -> Verdict:
        """Return whether to stop, with a sentence of reason.

        Raises:
            StrategyError: the history has nothing of what the rule reads.
        """
        for evidence in sorted(self.reads):
            if not history.has(evidence):
                raise StrategyError(
                    f"{self.name}: needs {evidence}, and the history has none: {SOURCE[evidence]}"
                )
        return self.judge(history)

    @abstractmethod
    def judge(self, history: History) -> Verdict:
        """Return the verdict on a history that has what `reads` names."""


def too_early(has: int, needs: int, what: str) -> Verdict:
    """Return the verdict that there is too little to tell.

    >>> too_early(2, 4, "versions").reason
    'too early to tell: 2 of 4 versions'
    """
    return Verdict(False, None, f"too early to tell: {has} of {needs} {what}")
