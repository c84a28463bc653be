"""The select stage: scores into windows, rounds out of them, the floor committed behind."""

import asyncio
import time
from time import monotonic
from typing import Any, Final

from siftstream.agents.select.gate import Gate, Trained
from siftstream.agents.select.heads import LiveHead
from siftstream.agents.select.labels import Labels
from siftstream.agents.select.rounds import Rounds
from siftstream.agents.select.shelves import Owned, Shelves
from siftstream.agents.select.steps import Steps
from siftstream.schemas import Scores
from siftstream.schemas.errors import BadRecord
from siftstream.streams.app import StageApp
from siftstream.streams.metrics import Metrics
from siftstream.streams.pump import pump
from siftstream.streams.record import Record
from siftstream.streams.work import Work, current_events, finish_patiently

LOOK_EVERY_S: Final = 1.0  # at what only time makes due


def attach(
    app: StageApp, rounds: Rounds, live: LiveHead, metrics: Metrics, *, first_run: int | None = None
) -> None:
    """Make `app` the select stage; in synchronous mode a first run needs `first_run` training labels."""
    shelves = Shelves(app, rounds, live.line)
    trained = None if first_run is None else trained_by(live, shelves.labels, first_run)
    audits = rounds.settings.audit.while_paused
    gate = Gate(shelves.asking, live.line, audit_while_paused=audits, trained=trained)
    metrics.gauge("paused", "1 while asking is paused.", lambda: shelves.asking.paused)
    steps = Steps(app, rounds, live, shelves, gate, metrics)
    arrivals = Arrivals(rounds.settings.budget.reshare_after)

    async def add(owned: Owned, record: Record) -> None:
        """One record into its window, with every round that falls due on the way."""
        shelf = owned.shelf
        try:
            batch = Scores.decode(record.value)
        except BadRecord as error:
            if record.offset > shelf.known_head:
                await finish_patiently(app, Work(refused=[(record, error)]))
            return
        row = 0
        while row < len(batch):
            row = shelf.append(record.offset, batch, row)
            live.rescore(shelf.window)
            await steps.watch(owned)
            for trigger in shelf.due():
                await steps.hold(owned, trigger)

    def commit_floor(tp: Any, owned: Owned) -> None:
        if owned.shelf.ready:
            offset, memory = owned.shelf.floor()
            app.safe_consumer.advance_floor(tp, offset, memory.encode())

    @app.agent(app.source(Scores), name="select")
    async def select(stream: Any) -> None:
        await live.begin(shelves.news.set)
        await shelves.begin()
        app.add_future(look_around())
        async for events in pump(app, stream, at_most=64, within=0.05):
            current = current_events(app, events)
            for event in current:
                message = event.message
                owned = await shelves.of(message.tp, message.generation_id)
                async with owned.lock:
                    if message.offset > owned.shelf.window.head:
                        await add(owned, Record.of_message(message))
                    owned.shelf.read = max(owned.shelf.read, message.offset)
                    arrivals.note(message.tp)
                    commit_floor(message.tp, owned)
                await stream.ack(event)
            if shelves.questions.open(time.time()):  # perhaps it was these samples that a query waits for
                shelves.news.set()

    async def look_around() -> None:
        """Do what is due without a sample: when something else was heard, and by the clock."""
        while not app.should_stop:
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await shelves.news.wait()
            except TimeoutError:
                pass
            shelves.news.clear()
            for tp in shelves.assigned():
                await look_at(tp)

    async def look_at(tp: Any) -> None:
        generation = app.consumer_generation_id
        if app.rebalancing:
            return
        owned = await shelves.of(tp, generation)
        async with owned.lock:
            if generation == app.consumer_generation_id and not app.rebalancing:
                await steps.care(owned, idle=arrivals.idle(tp))
                commit_floor(tp, owned)


def trained_by(live: LiveHead, labels: Labels, first_run: int) -> Trained:
    """Return what turns go by in synchronous mode."""
    return Trained(
        labels.labelled_to, live.covered, lambda: live.versions,
        lambda: live.ever_trained or labels.training >= first_run,
    )  # fmt: skip


class Arrivals:
    """When samples last came, by partition: who has none for a while has no use for its share."""

    def __init__(self, idle_after: float) -> None:
        """Args: seconds without a sample; 0: nobody is ever idle."""
        self._idle_after = idle_after
        self._last: dict[Any, float] = {}

    def note(self, tp: Any) -> None:
        """Note that a record came."""
        self._last[tp] = monotonic()

    def idle(self, tp: Any) -> bool:
        """Tell whether none has come for a while."""
        since = monotonic() - self._last.setdefault(tp, monotonic())
        return bool(self._idle_after) and since > self._idle_after
