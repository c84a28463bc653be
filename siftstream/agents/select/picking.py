"""Which rows of a window: the audit slice by chance, the rest by the strategy, within the quotas."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from logging import getLogger
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.select.candidates import Known, Slots, comparable, seen_by
from siftstream.agents.select.quotas import Room
from siftstream.agents.select.settings import SelectSettings
from siftstream.agents.select.window.scores import RowScores
from siftstream.agents.select.window.window import Window
from siftstream.schemas import Reason
from siftstream.schemas.errors import StrategyError
from siftstream.strategies import Need, RowStrategy, ScoreStrategy, Strategy, get_strategy, strategy_of
from siftstream.strategies.baselines.uniform import Random

log = getLogger(__name__)
NOTHING: Final = Known()
Choose: TypeAlias = Callable[[Slots, int], list["Pick"]]


@dataclass(frozen=True)
class Pick:
    """One chosen row; scores are comparable where each is of a sample alone."""

    slot: int
    score: float
    reason: Reason
    strategy: str
    inclusion_probability: float | None = None
    comparable: bool = False


@dataclass(frozen=True)
class Sight:
    """What a choice is made from: a partition's window, its free rows, what is known, the chances."""

    window: Window
    free: Slots  # oldest first
    rng: np.random.Generator
    partition: int
    known: Known = NOTHING
    room: Room | None = None  # of the quotas; none: there are none

    def but(self, taken: Sequence[int]) -> Slots:
        """Return the free rows without these."""
        return self.free[~np.isin(self.free, taken)] if len(taken) else self.free


class Picker:
    """Picks rows; the same window, known things and random state give the same picks."""

    def __init__(self, settings: SelectSettings, untrained: str) -> None:
        """Args: the stage's settings; the version name that scores carry before any training.

        Raises:
            StrategyError: a strategy's name or parameters are wrong.
        """
        self._audit = settings.audit.fraction
        self._min_per_class = settings.strategy.min_per_class
        self._cold_rows = settings.strategy.cold_start_rows
        self._untrained = untrained
        self._strategy = get_strategy(settings.strategy.name, **settings.strategy.parameters)
        self._cold_start = strategy_of(settings.strategy.cold_start)
        self.shadows = tuple(strategy_of(said) for said in settings.strategy.shadow)
        self._told: set[str] = set()  # refusals that were logged

    def reads(self, need: Need) -> bool:
        """Whether a strategy reads this."""
        return any(need in s.reads for s in (self._strategy, self._cold_start, *self.shadows))

    def pick(self, sight: Sight, size: int) -> list[Pick]:
        """Return at most `size` rows: the strategy's, best first, then the audit slice."""
        audit = self.audit(sight, size)
        free = sight.but([pick.slot for pick in audit])
        return [*self._within(sight, free, size - len(audit), partial(self._by_strategy, sight)), *audit]

    def answer(self, sight: Sight, size: int, strategy: Strategy | None) -> list[Pick]:
        """Return the best `size` rows for a query: by this strategy, or as a round would without an audit.

        Raises:
            StrategyError: the strategy that was named cannot choose from this window.
        """
        if strategy is None:
            return self._by_strategy(sight, sight.free, size)
        if not len(sight.free):
            return []
        return self._chosen(sight, sight.free, size, strategy, Reason.STRATEGY)

    def would_pick(self, sight: Sight, size: int, strategy: Strategy) -> list[Pick]:
        """Return what a shadow would have picked.

        Raises:
            StrategyError: it cannot choose from this window, or no trained model has scored any of it.
        """
        slots = sight.free[self._trained(sight.window, sight.free)]
        if not len(slots):
            raise StrategyError("no trained model has scored this window yet")
        return self._chosen(sight, slots, size, strategy, Reason.STRATEGY)

    def audit(self, sight: Sight, size: int) -> list[Pick]:
        """Choose the audit slice of a round uniformly; a fractional size is made whole by chance."""
        free = sight.free
        expected = size * self._audit
        count = min(size, len(free), int(expected) + int(sight.rng.random() < expected % 1.0))
        rows = sight.rng.choice(len(free), count, replace=False, shuffle=False)
        chance = min(1.0, expected / max(1, len(free)))
        return [Pick(int(free[row]), 0.0, Reason.AUDIT, "random", chance) for row in np.sort(rows)]

    def _within(self, sight: Sight, free: Slots, size: int, choose: Choose) -> list[Pick]:
        """Choose again among what has room until the size is reached; without quotas once."""
        room = sight.room
        if room is None:
            return choose(free, size)
        kept: list[Pick] = []
        while len(kept) < size:
            free = free[room.has(sight.window, free)]
            picks = choose(free, size - len(kept))
            if not picks:
                break
            kept += [pick for pick in picks if room.take(sight.window, pick.slot)]
            free = free[~np.isin(free, [pick.slot for pick in picks])]
        return kept

    def _by_strategy(self, sight: Sight, free: Slots, size: int) -> list[Pick]:
        """Let the strategy choose; the cold start while no trained model scores, or where it cannot."""
        if size <= 0 or not len(free):
            return []
        for strategy, slots, reason in self._ways(sight, free, size):
            try:
                return self._chosen(sight, slots, size, strategy, reason)
            except StrategyError as error:
                self._tell(str(error))
            except Exception as error:  # a plug-in may fail in any way; the stream goes on
                self._tell(f"{strategy.name} failed: {error!r}", error)
        return []

    def _ways(self, sight: Sight, free: Slots, size: int) -> Iterator[tuple[Strategy, Slots, Reason]]:
        """Yield who may choose and from which rows, each for where the one before cannot."""
        if self._is_warm(sight, free):
            # uniform probabilities look most uncertain of all: an untrained score says nothing
            yield self._strategy, free[self._trained(sight.window, free)], Reason.STRATEGY
        yield self._cold_start, self._some(sight, free, size), Reason.COLD_START
        yield Random(), free, Reason.COLD_START

    def _some(self, sight: Sight, free: Slots, size: int) -> Slots:
        """Return rows enough for a cold start, drawn at random where there are more."""
        most = max(self._cold_rows, size)
        if len(free) <= most:
            return free
        return free[np.sort(sight.rng.choice(len(free), most, replace=False, shuffle=False))]

    def _is_warm(self, sight: Sight, free: Slots) -> bool:
        """Whether a trained model scores the window, and has learned enough of each class."""
        newest = np.array([sight.window.newest(free)])
        learned = sight.known.learned
        enough = all(learned.get(name, 0) >= self._min_per_class for name in sight.known.classes)
        return bool(self._trained(sight.window, newest)[0]) and (enough or not self._min_per_class)

    def _trained(self, window: Window, slots: Slots) -> NDArray[np.bool_]:
        return ~window.is_of_version(slots, self._untrained)

    def _chosen(
        self, sight: Sight, slots: Slots, size: int, strategy: Strategy, reason: Reason
    ) -> list[Pick]:
        window = sight.window
        slots = comparable(strategy, window, slots, size)
        if isinstance(strategy, RowStrategy):  # only the best rows, ties too, can be chosen
            slots = RowScores.of(window, strategy).shortlist(slots, size)
        seen = seen_by(strategy, window, slots, reason, sight.known, partition=sight.partition)
        chosen = strategy.select(seen, size, sight.rng)
        chance = min(1.0, size / len(slots)) if strategy.name == "random" else None
        alone = isinstance(strategy, ScoreStrategy)
        return [
            Pick(int(slots[row]), float(score), reason, chosen.by or strategy.name, chance, alone)
            for row, score in zip(chosen.indices, chosen.scores, strict=True)
        ]

    def _tell(self, said: str, trace: Any = None) -> None:
        """Log why a strategy did not choose, once each."""
        if said not in self._told:
            self._told.add(said)
            log.warning("a simpler strategy chooses as long as this holds: %s", said, exc_info=trace)
