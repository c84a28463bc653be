"""A round: picks out of a window, as the events that leave; the same in every life."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.select.candidates import Known, Slots
from siftstream.agents.select.copies import Copies
from siftstream.agents.select.picking import NOTHING, Pick, Picker, Sight
from siftstream.agents.select.quotas import Room
from siftstream.agents.select.settings import SelectSettings
from siftstream.agents.select.window.window import Window
from siftstream.schemas import Reason, Selected, ShadowRound, Trigger
from siftstream.schemas.errors import StrategyError
from siftstream.strategies import Need, Strategy

SHOWN_CLASSES: Final = 10


class May(StrEnum):
    """What a round may choose; one that is put off by `LATER` is held as soon as its turn comes."""

    ALL = "all"
    AUDIT = "audit"
    NOTHING = "nothing"
    LATER = "later"


@dataclass(frozen=True)
class Place:
    """Where and why a round is held."""

    partition: int
    number: int
    trigger: Trigger
    now: float  # seconds since the epoch


class Rounds:
    """Holds rounds over windows; the same window, round number and seed give the same choice."""

    def __init__(self, settings: SelectSettings, classes: Sequence[str], untrained: str) -> None:
        """Args: the stage's settings; class names; the version name scores carry before any training.

        Raises:
            StrategyError: a strategy's name or parameters are wrong.
        """
        self.settings = settings
        self.classes = tuple(classes)
        self.picker = Picker(settings, untrained)
        self.untrained = untrained

    def reads(self, need: Need) -> bool:
        """Whether a strategy of these rounds reads this."""
        return self.picker.reads(need)

    def hold(
        self, window: Window, free: Slots, size: int, place: Place, known: Known = NOTHING,
        room: Room | None = None,
    ) -> tuple[list[Selected], list[ShadowRound]]:  # fmt: skip
        """Choose at most `size` of the free rows; return them best first, and what shadows would have chosen.

        Nothing is marked: the caller does that when the choice stands.
        """
        seed = [self.settings.seed, place.partition, place.number]
        sight = Sight(window, free, np.random.default_rng(seed), place.partition, known, room)
        made = self.events(window, self.picker.pick(sight, size), place)
        return made, self._shadows(sight, made, place) if made else []

    def audit(self, window: Window, free: Slots, size: int, place: Place) -> list[Selected]:
        """Choose the audit slice that a round of this size would have, and nothing else."""
        # it often is of no sample, and the round then keeps its number: the place makes the next one differ
        rng = np.random.default_rng([self.settings.seed, place.partition, place.number, window.seen])
        return self.events(window, self.picker.audit(Sight(window, free, rng, place.partition), size), place)

    def events(self, window: Window, picks: Sequence[Pick], place: Place) -> list[Selected]:
        """Return picks as the events that leave."""
        copies = Copies.of(window, [pick.slot for pick in picks])
        return self.told(copies, picks, [*range(len(picks))], place)

    def told(
        self, copies: Copies, picks: Sequence[Pick], rows: Sequence[int], place: Place,
        query_id: str | None = None,
    ) -> list[Selected]:  # fmt: skip
        """Return some of the rows that were copied as events, ranked in this order."""
        said = self._said(copies.probs_BC[[*rows]]) if rows else []
        return [
            self._selected(copies, row, picks[row], said[rank], rank, len(rows), place, query_id)
            for rank, row in enumerate(rows)
        ]  # fmt: skip

    def _shadows(self, sight: Sight, made: Sequence[Selected], place: Place) -> list[ShadowRound]:
        """Let each shadow choose as many from the same rows."""
        real = {one.sample_id for one in made}
        return [
            self._shadow(sight, strategy, number, real, place)
            for number, strategy in enumerate(self.picker.shadows, start=1)
        ]

    def _shadow(
        self, sight: Sight, strategy: Strategy, number: int, real: set[str], place: Place
    ) -> ShadowRound:
        rng = np.random.default_rng([self.settings.seed, place.partition, place.number, number])
        said = ShadowRound(
            partition=place.partition, round=place.number, seen=sight.window.seen, strategy=strategy.name
        )
        try:
            picks = self.picker.would_pick(replace(sight, rng=rng, room=None), len(real), strategy)
        except StrategyError as error:
            return said.model_copy(update={"refused": str(error)})
        ids = tuple(sight.window.ids_of(np.array([pick.slot for pick in picks], np.int64)))
        overlap = len(real.intersection(ids)) / max(1, len(ids))
        scores = tuple(pick.score for pick in picks)
        return said.model_copy(update={"sample_ids": ids, "scores": scores, "overlap": overlap})

    def _said(self, probs_BC: NDArray[np.floating]) -> list[dict[str, float]]:
        """Return the likeliest classes of each row with their probabilities, the likeliest first."""
        shown_BC = np.argsort(-probs_BC, axis=1, kind="stable")[:, :SHOWN_CLASSES]
        said_BC = np.take_along_axis(probs_BC.clip(0.0, 1.0), shown_BC, axis=1).astype(np.float64).round(6)
        names = self.classes
        return [
            {names[c]: p for c, p in zip(shown, said, strict=True)}
            for shown, said in zip(shown_BC.tolist(), said_BC.tolist(), strict=True)
        ]

    def _selected(
        self, copies: Copies, row: int, pick: Pick, said: dict[str, float], rank: int, size: int,
        place: Place, query_id: str | None,
    ) -> Selected:  # fmt: skip
        version = copies.versions[row]
        return Selected(
            sample_id=copies.ids[row], uri=copies.uris[row], metadata=copies.metadata[row],
            partition=place.partition, round=place.number, round_size=size, rank=rank, score=pick.score,
            strategy=pick.strategy, reason=Reason.QUERY if query_id else pick.reason, query_id=query_id,
            inclusion_probability=pick.inclusion_probability,
            model_version=version, model_line=copies.lines[row] or None,
            prediction=next(iter(said)) if version != self.untrained else None, probabilities=said,
            position=copies.position, seen=copies.seen, event_time=copies.event_time,
            trigger=place.trigger, seed=self.settings.seed, selected_at=place.now,
        )  # fmt: skip
