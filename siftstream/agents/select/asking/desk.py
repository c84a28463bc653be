"""One partition's side of queries: what it offers, keeps until the decision, and delivers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from siftstream.agents.select.asking.questions import Question
from siftstream.agents.select.candidates import Known, Slots
from siftstream.agents.select.copies import Copies
from siftstream.agents.select.picking import Pick, Sight
from siftstream.agents.select.rounds import Place, Rounds
from siftstream.agents.select.window.floor import Floor
from siftstream.agents.select.window.keys import key_of
from siftstream.agents.select.window.window import Window
from siftstream.schemas import Offer, Query, Reason, Selected, Trigger
from siftstream.schemas.errors import SiftError
from siftstream.strategies import Strategy, get_strategy


@dataclass(frozen=True)
class Kept:
    """What was offered: copies of the rows, by key, and the floor that a rebuild of them needs."""

    picks: Sequence[Pick]
    rows: Mapping[int, int]  # by key: places among the picks
    copies: Copies
    floor: Floor


class Desk:
    """Offers, keeps and delivers for one partition."""

    def __init__(self, rounds: Rounds, partition: int) -> None:
        self._rounds, self._partition = rounds, partition
        self._kept: dict[str, Kept] = {}
        self._ids: set[str] = set()

    def __contains__(self, sample_id: object) -> bool:
        """Whether a sample is kept for a query."""
        return sample_id in self._ids

    @property
    def floors(self) -> list[Floor]:
        """Where a rebuild must begin for what is kept."""
        return [kept.floor for kept in self._kept.values()]

    def has(self, query_id: str) -> bool:
        """Whether something is kept for this query."""
        return query_id in self._kept

    def free(self, window: Window, slots: Slots) -> Slots:
        """Return the rows that are not kept for a query."""
        if not self._ids:
            return slots
        return slots[[name not in self._ids for name in window.ids_of(slots)]]

    def offer(self, query: Query, window: Window, free: Slots, known: Known) -> Offer:
        """Choose the best for a query and keep them; a refusal where the strategy cannot."""
        facts: dict[str, Any] = {
            "query_id": query.query_id, "partition": self._partition,
            "seen": window.seen, "position": window.head,
        }  # fmt: skip
        if query.among:
            wanted = set(query.among)
            free = free[[name in wanted for name in window.ids_of(free)]]
        rng = np.random.default_rng([self._rounds.settings.seed, self._partition, key_of(query.query_id)])
        sight = Sight(window, free, rng, self._partition, known)
        try:
            picks = self._rounds.picker.answer(sight, min(query.budget, len(free)), _named(query))
        except SiftError as error:
            return Offer(free=len(free), refused=str(error), **facts)
        except Exception as error:  # a plug-in may fail in any way
            return Offer(free=len(free), refused=f"{query.strategy} failed: {error!r}", **facts)
        keys = self._keep(query.query_id, window, picks)
        return Offer(
            free=len(free), keys=tuple(keys), scores=tuple(pick.score for pick in picks),
            strategy=picks[0].strategy if picks else "", comparable=all(pick.comparable for pick in picks),
            **facts,
        )  # fmt: skip

    def keep_again(self, offer: Offer, window: Window) -> None:
        """Keep what an earlier owner offered at this very place; what it delivered already is taken."""
        slot_of = {int(window.keys[slot]): slot for slot in window.candidates().tolist()}
        picks = [
            Pick(slot_of[key], score, Reason.QUERY, offer.strategy)
            for key, score in zip(offer.keys, offer.scores, strict=True)
            if key in slot_of
        ]
        self._keep(offer.query_id, window, picks)

    def _keep(self, query_id: str, window: Window, picks: Sequence[Pick]) -> list[int]:
        slots = [pick.slot for pick in picks]
        keys: list[int] = window.keys[slots].tolist() if slots else []
        copies = Copies.of(window, slots)
        rows = {key: row for row, key in enumerate(keys)}
        self._kept[query_id] = Kept(picks, rows, copies, window.floor())
        self._ids.update(copies.ids)
        return keys

    def deliver(self, question: Question, number: int, now: float) -> list[Selected]:
        """Return this partition's part of a decided answer, with ranks in the whole."""
        name, decision = question.query.query_id, question.ballot.decision
        kept = self._kept.get(name)
        if decision is None or kept is None:
            return []
        ranks = {
            kept.rows[key]: rank
            for key, rank in zip(decision.keys(self._partition), decision.ranks[self._partition], strict=True)
            if key in kept.rows
        }
        place = Place(self._partition, number, Trigger.QUERY, now)
        made = self._rounds.told(kept.copies, kept.picks, [*ranks], place, name)
        return [
            one.model_copy(update={"rank": rank, "round_size": decision.size})
            for one, rank in zip(made, ranks.values(), strict=True)
        ]

    def release(self, query_id: str) -> None:
        """Keep nothing for this query any more."""
        kept = self._kept.pop(query_id, None)
        if kept is not None:
            self._ids.difference_update(kept.copies.ids)


def _named(query: Query) -> Strategy | None:
    """Return the strategy that a query names, or none.

    Raises:
        StrategyError: there is no such strategy, or a parameter is wrong.
    """
    return get_strategy(query.strategy, **query.parameters) if query.strategy else None
