"""One round: within the budget, the audit slice by chance and the rest by the strategy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from logging import getLogger
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.select.candidates import Known, Slots, comparable, seen_by
from siftstream.agents.select.settings import SelectSettings
from siftstream.agents.select.window import Window
from siftstream.schemas import Reason, Selected
from siftstream.schemas.errors import StrategyError
from siftstream.strategies import Need, Strategy, get_strategy, strategy_of
from siftstream.strategies import Window as Candidates
from siftstream.strategies.baselines.uniform import Random

log = getLogger(__name__)
SHOWN_CLASSES: Final = 10
NOTHING: Final = Known()
Seeing: TypeAlias = Callable[[Strategy, Window, Slots, Reason], Candidates]


@dataclass(frozen=True)
class Pick:
    """One chosen row."""

    slot: int
    score: float
    reason: Reason
    strategy: str
    inclusion_probability: float | None = None


class Rounds:
    """Holds rounds over windows; the same window, round number and seed give the same choice."""

    def __init__(
        self, settings: SelectSettings, classes: Sequence[str], partitions: int, untrained: str
    ) -> None:
        """Args: the stage's settings; class names; P; the version name scores carry before any training.

        Raises:
            StrategyError: a strategy's name or parameters are wrong.
        """
        self._settings = settings
        self.classes = tuple(classes)
        self._partitions = partitions
        self._untrained = untrained
        self._strategy = get_strategy(settings.strategy.name, **settings.strategy.parameters)
        self._cold_start = strategy_of(settings.strategy.cold_start)
        self._told: set[str] = set()  # refusals that were logged

    def reads(self, need: Need) -> bool:
        """Whether a strategy of these rounds reads this."""
        return need in self._strategy.reads | self._cold_start.reads

    def until_due(self, window: Window) -> int:
        """New samples until the next round: rounds come after every n-th sample, wherever records end."""
        return self._settings.trigger.every - window.seen % self._settings.trigger.every

    def due(self, window: Window, done: int) -> int | None:
        """Return the number of the round that is due now, or none; rounds up to `done` were held."""
        number, beyond = divmod(window.seen, self._settings.trigger.every)
        return number - 1 if beyond == 0 and number - 1 > done else None

    def hold(
        self, window: Window, *, partition: int, number: int, spent: int, known: Known = NOTHING
    ) -> list[Selected]:
        """Choose, mark the chosen rows as taken, and return them, best first.

        Args:
            window: The partition's window.
            partition: Its number.
            number: The round's number.
            spent: Samples this partition has chosen before.
            known: What is known beside the window.
        """
        size = self._size(window, partition, spent)
        if size == 0:
            return []
        rng = np.random.default_rng([self._settings.seed, partition, number])
        audit = self._audit(window, size, rng)
        free = window.candidates()
        free = free[~np.isin(free, [pick.slot for pick in audit])]
        seeing = partial(seen_by, known=known, partition=partition)
        picks = [*self._by_strategy(window, free, size - len(audit), rng, seeing), *audit]
        slots = np.array([pick.slot for pick in picks], np.int64)
        window.take(slots)
        said = self._said(window.probs[slots].mean(axis=1))
        return [
            self._selected(window, pick, said[rank], rank, len(picks), partition, number)
            for rank, pick in enumerate(picks)
        ]  # fmt: skip

    def _size(self, window: Window, partition: int, spent: int) -> int:
        share = self._settings.budget.share(partition, self._partitions)
        left = self._settings.budget.per_round if share is None else share - spent
        return max(0, min(self._settings.budget.per_round, left, len(window.candidates())))

    def _audit(self, window: Window, size: int, rng: np.random.Generator) -> list[Pick]:
        """Choose the audit slice uniformly; a fractional size is made whole by chance: right on average."""
        free = window.candidates()
        expected = size * self._settings.audit.fraction
        count = min(size, int(expected) + int(rng.random() < expected % 1.0))
        slots = rng.choice(free, count, replace=False)
        chance = min(1.0, expected / len(free))
        return [Pick(int(s), 0.0, Reason.AUDIT, "random", chance) for s in slots]

    def _by_strategy(
        self, window: Window, free: Slots, size: int, rng: np.random.Generator, seeing: Seeing
    ) -> list[Pick]:
        """Let the strategy choose; the cold start while no trained model scores, or where it cannot."""
        if size == 0 or not len(free):
            return []
        ways = [(self._cold_start, free, Reason.COLD_START), (Random(), free, Reason.COLD_START)]
        if window.versions[window.newest(free)] != self._untrained:
            # uniform probabilities look most uncertain of all: an untrained score says nothing
            trained = np.array([s for s in free.tolist() if window.versions[s] != self._untrained], np.int64)
            ways.insert(0, (self._strategy, trained, Reason.STRATEGY))
        for strategy, slots, reason in ways:
            try:
                return self._chosen(strategy, window, slots, size, rng, seeing, reason)
            except StrategyError as error:
                self._tell(str(error))
            except Exception as error:  # a plug-in may fail in any way; the stream goes on
                self._tell(f"{strategy.name} failed: {error!r}", error)
        return []

    def _chosen(
        self, strategy: Strategy, window: Window, slots: Slots, size: int, rng: np.random.Generator,
        seeing: Seeing, reason: Reason,
    ) -> list[Pick]:  # fmt: skip
        slots = comparable(strategy, window, slots, size)
        chosen = strategy.select(seeing(strategy, window, slots, reason), size, rng)
        chance = min(1.0, size / len(slots)) if strategy.name == "random" else None
        return [
            Pick(int(slots[row]), float(score), reason, chosen.by or strategy.name, chance)
            for row, score in zip(chosen.indices, chosen.scores, strict=True)
        ]

    def _tell(self, said: str, trace: Exception | None = None) -> None:
        """Log why a strategy did not choose, once each."""
        if said not in self._told:
            self._told.add(said)
            log.warning("a simpler strategy chooses as long as this holds: %s", said, exc_info=trace)

    def _said(self, probs_BC: NDArray[np.float32]) -> list[dict[str, float]]:
        """Return the likeliest classes of each row with their probabilities, the likeliest first."""
        shown_BC = np.argsort(-probs_BC, axis=1, kind="stable")[:, :SHOWN_CLASSES]
        said_BC = np.take_along_axis(probs_BC.clip(0.0, 1.0), shown_BC, axis=1).astype(np.float64).round(6)
        names = self.classes
        return [
            {names[c]: p for c, p in zip(shown, said, strict=True)}
            for shown, said in zip(shown_BC.tolist(), said_BC.tolist(), strict=True)
        ]

    def _selected(
        self, window: Window, pick: Pick, said: dict[str, float], rank: int, size: int, partition: int,
        number: int,
    ) -> Selected:  # fmt: skip
        return Selected(
            sample_id=window.ids[pick.slot], uri=window.uris[pick.slot], metadata=window.metadata[pick.slot],
            partition=partition, round=number, round_size=size, rank=rank, score=pick.score,
            strategy=pick.strategy, reason=pick.reason, inclusion_probability=pick.inclusion_probability,
            model_version=window.versions[pick.slot], model_line=window.lines[pick.slot] or None,
            prediction=next(iter(said)), probabilities=said,
            position=window.head, seed=self._settings.seed,
        )  # fmt: skip
