"""One round: within the budget, the audit slice by chance and the rest by the strategy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.select.settings import SelectSettings
from siftstream.agents.select.window import Window
from siftstream.schemas import Reason, Selected
from siftstream.strategies import Strategy, get_strategy
from siftstream.strategies import Window as Candidates

SHOWN_CLASSES = 10


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
        self._classes = tuple(classes)
        self._partitions = partitions
        self._untrained = untrained
        self._strategy = get_strategy(settings.strategy.name, **settings.strategy.parameters)
        self._cold_start = get_strategy(settings.strategy.cold_start)

    def until_due(self, window: Window) -> int:
        """New samples until the next round: rounds come after every n-th sample, wherever records end."""
        return self._settings.trigger.every - window.seen % self._settings.trigger.every

    def due(self, window: Window, done: int) -> int | None:
        """Return the number of the round that is due now, or none; rounds up to `done` were held."""
        number, beyond = divmod(window.seen, self._settings.trigger.every)
        return number - 1 if beyond == 0 and number - 1 > done else None

    def hold(self, window: Window, *, partition: int, number: int, spent: int) -> list[Selected]:
        """Choose, mark the chosen rows as taken, and return them, best first.

        Args:
            window: The partition's window.
            partition: Its number.
            number: The round's number.
            spent: Samples this partition has chosen before.
        """
        size = self._size(window, partition, spent)
        if size == 0:
            return []
        rng = np.random.default_rng([self._settings.seed, partition, number])
        audit = self._audit(window, size, rng)
        picks = [*self._by_strategy(window, size - len(audit), audit, rng), *audit]
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
        self, window: Window, size: int, audit: Sequence[Pick], rng: np.random.Generator
    ) -> list[Pick]:
        free = window.candidates()
        free = free[~np.isin(free, [pick.slot for pick in audit])]
        if size == 0 or not len(free):
            return []
        newest = window.newest(free)
        cold = window.versions[newest] == self._untrained
        strategy: Strategy = self._cold_start if cold else self._strategy
        if not cold:  # uniform probabilities look most uncertain of all: an untrained score says nothing
            free = np.array([s for s in free.tolist() if window.versions[s] != self._untrained], np.int64)
        if strategy.needs_embeddings:  # rows of another encoder lie in another space
            same = [s for s in free.tolist() if window.encoders[s] == window.encoders[newest]]
            free = np.array(same, np.int64)
        seen = self._view(window, free, window.encoders[newest] if strategy.needs_embeddings else None)
        chosen = strategy.select(seen, size, rng)
        reason = Reason.COLD_START if cold else Reason.STRATEGY
        chance = min(1.0, size / len(free)) if strategy.name == "random" else None
        return [
            Pick(int(free[i]), float(score), reason, strategy.name, chance)
            for i, score in zip(chosen.indices, chosen.scores, strict=True)
        ]

    def _view(self, window: Window, free: NDArray[np.int64], encoder: str | None) -> Candidates:
        """Return what a strategy sees; without an encoder no embeddings, whose copies cost the most."""
        probs_BMC = window.probs[free]
        if encoder is None:
            return Candidates(probs_BMC, np.zeros((len(free), 0), np.float32), np.zeros((0, 0), np.float32))
        covered = [s for s in window.taken().tolist() if window.encoders[s] == encoder]
        return Candidates(
            probs_BMC,
            emb_BD=window.embeddings[free].astype(np.float32),
            covered_ND=window.embeddings[covered].astype(np.float32),
        )

    def _said(self, probs_BC: NDArray[np.float32]) -> list[dict[str, float]]:
        """Return the likeliest classes of each row with their probabilities, the likeliest first."""
        shown_BC = np.argsort(-probs_BC, axis=1, kind="stable")[:, :SHOWN_CLASSES]
        said_BC = np.take_along_axis(probs_BC.clip(0.0, 1.0), shown_BC, axis=1).astype(np.float64).round(6)
        names = self._classes
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
