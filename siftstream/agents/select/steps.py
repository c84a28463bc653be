"""What select does to a partition: rounds, recalls, offers, shares; each is in the log before the next."""

import asyncio
import time
from collections.abc import Callable, Sequence
from logging import getLogger
from typing import Final

from siftstream.agents.select.asking.questions import Question
from siftstream.agents.select.candidates import Known
from siftstream.agents.select.gate import Gate
from siftstream.agents.select.heads import LiveHead
from siftstream.agents.select.rounds import Rounds
from siftstream.agents.select.shelf import Shelf
from siftstream.agents.select.shelves import Owned, Shelves
from siftstream.schemas import Command, Event, Offer, Reread, Selected, Trigger
from siftstream.streams.app import StageApp
from siftstream.streams.metrics import Metrics
from siftstream.streams.record import Outgoing
from siftstream.streams.work import Work, finish_patiently

log = getLogger(__name__)
ASK_AGAIN_S: Final = 60.0  # after a request to infer of which rows are left


class Steps:
    """Takes steps for shelves whose lock the caller holds."""

    def __init__(
        self, app: StageApp, rounds: Rounds, live: LiveHead, shelves: Shelves, gate: Gate, metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        """Args: the select app; how rounds are held; the live head; all shelves; what rounds may choose;
        metrics; the clock.
        """
        self._gate = gate
        self._app, self._rounds, self._live, self._shelves = app, rounds, live, shelves
        self._clock = clock
        self._count = metrics.counter("samples", "Samples chosen, by reason, and recalled.", label="outcome")
        self._drifts = metrics.counter("drift", "Drift that was found, by statistic.")

    def known(self, shelf: Shelf) -> Known:
        """Return what is known beside a shelf's window."""
        return Known(
            self._shelves.labels.known(shelf.partition), shelf.chosen.rounds, self._live.accuracies,
            self._live.head, self._live.learned, self._rounds.classes,
        )  # fmt: skip

    async def hold(self, owned: Owned, trigger: Trigger) -> int:
        """Hold a round in a thread, since some strategies think for seconds; return how many were chosen."""
        shelf, now = owned.shelf, self._clock()
        may = self._gate.may(shelf, trigger)
        held = await asyncio.to_thread(shelf.hold, trigger, now, self.known(shelf), may)
        await self._write(shelf, [*held.chosen, *held.shadows])
        self._noted(shelf, held.chosen)
        owned.wanting = held.wanting
        return len(held.chosen)

    async def watch(self, owned: Owned) -> None:
        """Say what drift there is at this place."""
        found = owned.shelf.look()
        for drift in found:
            self._drifts(drift.statistic, 1)
            log.warning("partition %d: %s drifted: %g before, %g now (%s)", drift.partition,
                        drift.statistic, drift.before, drift.after, drift.detector)  # fmt: skip
        await self._write(owned.shelf, found)

    async def care(self, owned: Owned, *, idle: bool) -> None:
        """Do all that is due without a new sample: answers, recalls, queries, rounds by clock and demand."""
        shelf = owned.shelf
        shelf.answer(self._shelves.labels.take_news(shelf.partition))
        if not shelf.ready:
            return
        if shelf.budget.fenced:
            log.warning("partition %d: an earlier owner wrote late; its budget begins anew", shelf.partition)
            await self._shelves.renew_budget(owned)
        self._live.rescore(shelf.window)
        await self._recall(shelf)
        for question in self._shelves.questions:
            await self._ask(shelf, question)
        if shelf.triggers.ticks(self._clock()):
            await self.hold(owned, Trigger.TIME)
        if (kept_back := self._gate.kept_back(shelf)) is not None:
            await self.hold(owned, kept_back)
        while shelf.budget.refill() > 0 and await self.hold(owned, Trigger.DEMAND):
            pass
        await self._ask_for_training(shelf)
        await self._share(owned, idle=idle)
        if self._rounds.settings.rescore == "reinfer":
            await self._score_again(owned)

    async def _recall(self, shelf: Shelf) -> None:
        """Take back what nobody answered in time: an empty record under its key."""
        names = shelf.overdue(self._clock())
        if names:
            log.info("partition %d: %d samples are recalled", shelf.partition, len(names))
            await self._send(
                [Outgoing(Selected.topic, None, name.encode(), shelf.partition) for name in names]
            )
            shelf.recalled(names)
            self._count("recalled", len(names))

    async def _ask(self, shelf: Shelf, question: Question) -> None:
        """Offer for a query, deliver what was decided, let go of what is void."""
        name, now = question.query.query_id, self._clock()
        if question.ballot.decision is not None:
            if shelf.desk.has(name):
                made = shelf.deliver(question, now)
                await self._write(shelf, made)
                self._noted(shelf, made)
                shelf.release(name)
        elif question.dead(now):
            shelf.release(name)
        elif not shelf.desk.has(name) and not question.expired(now) and self._has_read(shelf, question):
            offer = await asyncio.to_thread(shelf.offer, question, self.known(shelf))
            await self._send([Outgoing(Offer.topic, offer.encode(), offer.key, 0)])

    async def _ask_for_training(self, shelf: Shelf) -> None:
        """In synchronous mode, where all samples of a round are answered."""
        command = self._gate.request(shelf)
        if command is not None:
            await self._send([Outgoing(Command.topic, command.encode(), command.key, 0)])

    def _has_read(self, shelf: Shelf, question: Question) -> bool:
        """Whether the partition is where the query wants it: the asker sees what it pushed before."""
        return shelf.read >= question.query.after.get(shelf.partition, -1)

    async def _share(self, owned: Owned, *, idle: bool) -> None:
        """Say what this partition wants of the others' budget, and give what it does not need."""
        shelf = owned.shelf
        rows = shelf.budget.rows(
            wanted=owned.wanting, idle=idle, event_time=shelf.event_time, now=self._clock()
        )
        await self._shelves.write_shares(shelf.budget, rows)

    async def _score_again(self, owned: Owned) -> None:
        """Ask infer for new scores of rows that another encoder than the live one scored."""
        live, shelf = self._live.told, owned.shelf
        if live is None or live.encoder is None:
            return
        if self._clock() - owned.asked.get(live.version, 0.0) < ASK_AGAIN_S:
            return
        owned.asked = {live.version: self._clock()}  # looked for: a look costs as much as the window is long
        stale = shelf.window.stale(live.encoder.sha256)
        if stale is not None:
            first, end = stale
            again = Reread(
                partition=shelf.partition,
                version=live.version,
                encoder=live.encoder.sha256,
                first=first,
                end=end,
            )
            await self._write(shelf, [again])

    def _noted(self, shelf: Shelf, made: Sequence[Selected]) -> None:
        shelf.note(made)
        for one in made:
            self._count(one.reason, 1)

    async def _write(self, shelf: Shelf, events: Sequence[Event]) -> None:
        """Write events on the shelf's partition; a round is one record batch: all of it or nothing."""
        await self._send(
            [Outgoing(event.topic, event.encode(), event.key, shelf.partition) for event in events]
        )

    async def _send(self, outputs: list[Outgoing]) -> None:
        if outputs:
            await finish_patiently(self._app, Work(outputs))
