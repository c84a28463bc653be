"""Schedule: one strategy for the first rounds, another for the next ones, the last one for ever."""

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from siftstream.schemas.errors import StrategyError
from siftstream.strategies.beside import Progress
from siftstream.strategies.combining.delegating import Delegating, Turn
from siftstream.strategies.inner import Inner, said_with, told_apart
from siftstream.strategies.strategy import Strategy


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Step:
    """A strategy, and for how many rounds it chooses; the last step needs no number."""

    strategy: Inner
    rounds: int | None = Field(default=None, gt=0)


def _step(said: Any) -> Any:
    return said_with(said, "rounds")


@dataclass(frozen=True)
class Schedule(Delegating):
    """Round r (from 0) belongs to the first step whose rounds, with those of the steps before, exceed r.

    A step's strategy counts its own rounds from 0.

    >>> steps = [{"strategy": "random", "rounds": 3}, {"strategy": "margin"}]
    >>> schedule = Schedule(steps=steps)
    >>> [schedule.turn(Progress(round), np.random.default_rng(0)).label for round in (0, 2, 3, 99)]
    ['random', 'random', 'margin', 'margin']
    """

    name: ClassVar[str] = "schedule"
    when: ClassVar[str] = (
        "A cold start that must end: typical samples for a few rounds, uncertain ones after; the number of"
        " rounds is yours to know."
    )
    source: ClassVar[str] = (
        "Hacohen, Dekel and Weinshall, Active learning on a budget: opposite strategies suit high and low"
        " budgets, ICML 2022, which shows why the order matters"
    )

    steps: tuple[Annotated[Step, BeforeValidator(_step)], ...] = Field(
        min_length=1,
        description="Strategies in order, each with the rounds it holds (`{strategy: margin, rounds: 3}`);"
        " the last one holds for ever.",
    )

    def __post_init__(self) -> None:
        """Raise StrategyError where a step that is not the last says no rounds."""
        for number, step in enumerate(self.steps[:-1]):
            if step.rounds is None:
                raise StrategyError(
                    f"schedule: step {number} ({step.strategy.name}) says no rounds; only the last may"
                )

    @property
    def inner(self) -> tuple[Strategy, ...]:
        """The strategies of the steps."""
        return tuple(step.strategy for step in self.steps)

    def turn(self, progress: Progress, rng: np.random.Generator) -> Turn:
        """Return the step of this round."""
        del rng
        starts = np.cumsum([0, *(step.rounds or 0 for step in self.steps[:-1])])
        number = int(np.searchsorted(starts, progress.round, side="right")) - 1
        label, step = told_apart(self.inner)[number], self.steps[number]
        return Turn(label, step.strategy, progress.round - int(starts[number]))
