"""What the strategies share that let one of several hold the round: how it is called, told of and named."""

from abc import abstractmethod
from dataclasses import dataclass as plain_dataclass
from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from siftstream.strategies.beside import Past, Progress
from siftstream.strategies.inner import all_reads
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.window import Window


@plain_dataclass(frozen=True)
class Turn:
    """Who holds this round: its label in the log, the strategy, and the round's number to that strategy."""

    label: str
    strategy: Strategy
    round: int


@dataclass(frozen=True)
class Delegating(Strategy):
    """Lets one strategy hold the round; the answer is its answer, and `Selection.by` says which it was.

    Where the chosen one delegates in its turn, `by` is a path: `bandit/margin`. Each strategy is told of the
    rounds that it held itself, under the names that it gave them, so delegating strategies nest. Whatever
    any of the strategies may read must be there in every round.
    """

    family: ClassVar[Family] = Family.COMBINING
    cost: ClassVar[str] = "that of the strategy that chooses"

    @property
    @abstractmethod
    def inner(self) -> tuple[Strategy, ...]:
        """Every strategy that may hold a round."""

    @abstractmethod
    def turn(self, progress: Progress, rng: np.random.Generator) -> Turn:
        """Return who holds this round."""

    @property
    def reads(self) -> frozenset[Need]:
        """What any of the strategies reads."""
        return self.needs | all_reads(self.inner)

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Let the one whose turn it is choose."""
        return self._choose_from(window, np.arange(len(window)), k, rng)

    def _choose_from(
        self, window: Window, order: NDArray[np.int64], k: int, rng: np.random.Generator
    ) -> Selection:
        """Hand the rows on where they stand: the answer is what the strategy alone would give."""
        turn = self.turn(window.progress, rng)
        told = Progress(turn.round, window.progress.partition, held_by(turn.label, window.progress.past))
        chosen = turn.strategy._choose_from(window.but(progress=told), order, k, rng)
        return replace(chosen, by=f"{turn.label}/{chosen.by}" if chosen.by else turn.label)


def held_by(label: str, past: tuple[Past, ...]) -> tuple[Past, ...]:
    """Return the rounds that the strategy of that label held, each under the name that it gave itself.

    >>> [found.strategy for found in held_by("bandit", (Past("margin"), Past("bandit/random")))]
    ['random']
    """
    found: list[Past] = []
    for one in past:
        head, _, rest = one.strategy.partition("/")
        if head == label:
            found.append(replace(one, strategy=rest))
    return tuple(found)
