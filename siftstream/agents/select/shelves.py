"""The partitions of this worker, each restored from the log when it is first asked for in a generation."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from logging import getLogger
from typing import Any

from siftstream.agents.asking import Asking
from siftstream.agents.select.asking.questions import Questions
from siftstream.agents.select.budget.budget import Budget
from siftstream.agents.select.labels import Labels
from siftstream.agents.select.memory import Memory
from siftstream.agents.select.rounds import Rounds
from siftstream.agents.select.shelf import Shelf
from siftstream.schemas import Command, Offer, Query, Scores, Selected, Share, TrainingLabel
from siftstream.streams.app import StageApp
from siftstream.streams.record import Outgoing, Record
from siftstream.streams.view import View
from siftstream.streams.work import Work, finish_patiently

log = getLogger(__name__)


def _nobody(sample_id: str, one: Selected | None) -> None:
    """Nobody learns before the first shelf."""
    del sample_id, one


@dataclass
class Owned:
    """A shelf in one generation of the group; who changes it holds the lock."""

    shelf: Shelf
    generation: int
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanting: int = 0  # samples that the budget kept the last round from choosing
    asked: dict[str, float] = field(default_factory=dict[str, float])  # versions to be scored anew, and when


class Shelves:
    """Restores shelves, and keeps what all read: answers, queries, offers, shares of the budget, pauses."""

    def __init__(self, app: StageApp, rounds: Rounds, line: str) -> None:
        """Args: the select app; how rounds are held; the main line of models."""
        self._app, self._rounds, self._line = app, rounds, line
        self._owned: dict[Any, Owned] = {}
        self._restoring = asyncio.Lock()
        self._learn: Callable[[str, Selected | None], None] = _nobody
        self._shares: dict[bytes, Share] = {}  # in the order of the log
        self._budgets: dict[int, Budget] = {}
        self.labels = Labels(rounds.classes)
        self.questions = Questions(app.pipeline.partitions)
        self.asking = Asking(line)
        self.news = asyncio.Event()  # something came that is no record of `scores`

        def view(topic: str, fold: Any) -> View:
            made = View(app.kafka, app.pipeline, topic, fold)
            app.close_at_stop(made.stop)
            return made

        self._selected = view(Selected.topic, self._tell)
        self._labelled = view(TrainingLabel.topic, self.labels.fold)
        self._queries = view(Query.topic, self.questions.hear_query)
        self._offers = view(Offer.topic, self.questions.hear_offer)
        self._budget = view(Share.topic, self._hear)
        self._commands = view(Command.topic, self._hear_command)

    async def begin(self) -> None:
        """Read what all shelves need, then follow it in the background."""
        views = (self._queries, self._offers, self._budget, self._commands)
        await asyncio.gather(*(view.refresh() for view in views))
        for view in views:
            self._app.add_future(view.follow(self.news.set))
        mine = self._labelled.follow(self.news.set, partitions=self.partitions)
        self._app.add_future(mine)

    def partitions(self) -> list[int]:
        """The partitions that are assigned to this worker now."""
        return [tp.partition for tp in self.assigned()]

    def assigned(self) -> list[Any]:
        """The same, as Faust names them."""
        topic = self._app.pipeline.topic(Scores.topic)
        return sorted(tp for tp in self._app.consumer.assignment() if tp.topic == topic)

    async def of(self, tp: Any, generation: int) -> Owned:
        """Return a partition's shelf of this generation."""
        async with self._restoring:
            owned = self._owned.get(tp)
            if owned is None or owned.generation != generation:
                owned = self._owned[tp] = Owned(await self._restored(tp, generation), generation)
            return owned

    async def _restored(self, tp: Any, generation: int) -> Shelf:
        """Begin a partition where the group left it: the log gives the rest."""
        partition = tp.partition
        offset, metadata = await self._app.safe_consumer.committed(tp)
        shelf = Shelf(
            self._rounds,
            partition,
            self._app.pipeline.partitions,
            offset or 0,
            Memory.decode(metadata),
            self._line,
            owner=generation,
        )
        await self._begin_budget(partition, shelf.budget)
        self._learn = shelf.learn
        self._selected.forget(partition)
        await asyncio.gather(
            self._selected.refresh([partition]), self._labelled.refresh([partition]), self._queries.refresh(),
            self._offers.refresh(), self._commands.refresh(),
        )  # fmt: skip
        self.labels.take_news(partition)
        answered = self.labels.answered(partition)
        shelf.begin(answered, self.questions.owed(partition, shelf.chosen.delivered, time.time()))
        return shelf

    async def _begin_budget(self, partition: int, budget: Budget) -> None:
        """Let the topic `budget` fence off earlier owners, before anything is spent."""
        await self._budget.refresh()
        for share in self._shares.values():
            budget.hear(share)
        self._budgets[partition] = budget
        await self.write_shares(budget, budget.begin())

    async def write_shares(self, budget: Budget, rows: Sequence[Share]) -> None:
        """Write rows of the budget and read the topic to its end: what stands there counts."""
        if not rows:
            return
        outputs = [Outgoing(Share.topic, row.encode(), row.key, partition=0) for row in rows]
        await finish_patiently(self._app, Work(outputs))
        await self._budget.refresh()
        old = [Outgoing(Share.topic, None, key, partition=0) for key in budget.stale()]
        await finish_patiently(self._app, Work(old))

    async def renew_budget(self, owned: Owned) -> None:
        """Begin a budget anew that a late word of an earlier owner has fenced off."""
        shelf = owned.shelf
        async with self._restoring:
            await self._begin_budget(shelf.partition, shelf.new_budget(owned.generation))
            self._learn = shelf.spend
            self._selected.forget(shelf.partition)
            await self._selected.refresh([shelf.partition])
        shelf.settle()

    def _tell(self, record: Record) -> None:
        """Let the shelf that is being restored learn a record of `selected`."""
        if record.value is None:
            self._learn((record.key or b"").decode(), None)
        else:
            one = Selected.decode(record.value)
            self._learn(one.sample_id, one)

    def _hear_command(self, record: Record) -> None:
        paused = self.asking.paused
        self.asking.fold(record)
        if self.asking.said is not None and self.asking.paused != paused:
            said, words = self.asking.said, "is paused" if self.asking.paused else "goes on"
            log.info("asking %s, says %s: %s", words, said.by, said.why or "no reason given")

    def _hear(self, record: Record) -> None:
        self._shares.pop(record.key or b"", None)
        if record.value is None:  # of an epoch that is over
            return
        share = Share.decode(record.value)
        self._shares[share.key] = share
        for budget in self._budgets.values():
            budget.hear(share)
