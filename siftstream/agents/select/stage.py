"""The select stage: scores into windows, rounds out of them, the floor committed behind."""

import asyncio
from dataclasses import dataclass
from logging import getLogger
from typing import Any

from siftstream.agents.select.candidates import Known
from siftstream.agents.select.chosen import ChosenBefore
from siftstream.agents.select.heads import LiveHead
from siftstream.agents.select.labels import Labels
from siftstream.agents.select.memory import Memory
from siftstream.agents.select.rounds import Rounds
from siftstream.agents.select.settings import SelectSettings
from siftstream.agents.select.window import Window
from siftstream.schemas import Scores, Selected, TrainingLabel
from siftstream.schemas.errors import BadRecord
from siftstream.strategies import Need
from siftstream.streams.app import StageApp
from siftstream.streams.pump import pump
from siftstream.streams.record import Outgoing, Record
from siftstream.streams.view import View
from siftstream.streams.work import Work, current_events, finish_patiently

log = getLogger(__name__)


@dataclass
class Shelf:
    """A partition's window, and where its rounds stand, in one generation of the group."""

    window: Window
    generation: int
    done: int  # the last round held
    known_head: int  # records up to here were handled in an earlier life


def attach(app: StageApp, settings: SelectSettings, rounds: Rounds, live: LiveHead) -> None:
    """Make `app` the select stage."""
    shelves: dict[Any, Shelf] = {}
    chosen, labels = ChosenBefore(), Labels(rounds.classes)
    selected = View(app.kafka, app.pipeline, Selected.topic, chosen.fold)
    labelled = View(app.kafka, app.pipeline, TrainingLabel.topic, labels.fold)

    async def restored(tp: Any, generation: int) -> Shelf:
        """Begin a partition where the group left it: the log gives the rest."""
        _, metadata = await app.safe_consumer.committed(tp)
        memory = Memory.decode(metadata)
        await selected.refresh([tp.partition])
        if rounds.reads(Need.LABELLED):
            await labelled.refresh([tp.partition])
        done = max(memory.done, chosen.of(tp.partition).last_round)
        return Shelf(Window(settings.window.size, memory.seen, live.line), generation, done, memory.head)

    async def shelf_of(message: Any) -> Shelf:
        shelf = shelves.get(message.tp)
        if shelf is None or shelf.generation != message.generation_id:
            shelf = shelves[message.tp] = await restored(message.tp, message.generation_id)
        return shelf

    async def add(shelf: Shelf, record: Record, work: Work) -> None:
        """One record into its window; the round that it makes due into `work`."""
        try:
            batch = Scores.decode(record.value)
        except BadRecord as error:
            if record.offset > shelf.known_head:
                work.refuse(record, error)
            return
        window, before = shelf.window, chosen.of(record.partition)
        row = 0
        while row < len(batch):
            row = window.append(
                record.offset, batch, before.ids, start=row, at_most=rounds.until_due(window)
            )  # fmt: skip
            live.rescore(window)
            number = rounds.due(window, shelf.done)
            if number is not None:
                shelf.done = number
                work.outputs += await hold(window, record.partition, number)

    async def hold(window: Window, partition: int, number: int) -> list[Outgoing]:
        """Hold a round in a thread: some strategies think for seconds."""
        before = chosen.of(partition)
        known = Known(labels.known, before.rounds, live.accuracies, live.head)
        made = await asyncio.to_thread(
            rounds.hold, window, partition=partition, number=number, spent=len(before.ids), known=known
        )
        for one in made:
            chosen.note(partition, one)
        return [Outgoing(Selected.topic, one.encode(), one.key, partition=partition) for one in made]

    def commit_floor(tp: Any, shelf: Shelf) -> None:
        floor, seen = shelf.window.floor()
        memory = Memory(seen, shelf.done, shelf.window.head, len(shelf.window))
        app.safe_consumer.advance_floor(tp, floor, memory.encode())

    @app.agent(app.source(Scores), name="select")
    async def select(stream: Any) -> None:
        await live.begin()
        if rounds.reads(Need.LABELLED):
            app.add_future(labelled.follow())
        async for events in pump(app, stream, at_most=64, within=0.05):
            work, touched = Work(), {}
            current = current_events(app, events)
            for event in current:
                message = event.message
                shelf = touched[message.tp] = await shelf_of(message)
                if message.offset > shelf.window.head:
                    await add(shelf, Record.of_message(message), work)
            await finish_patiently(app, work)
            for tp, shelf in touched.items():
                commit_floor(tp, shelf)
            for event in current:
                await stream.ack(event)

    app.close_at_stop(selected.stop)
    app.close_at_stop(labelled.stop)
