"""Select without Kafka and without a clock: logs, commits, and shelves that live and die."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from siftstream.agents.asking import Asking
from siftstream.agents.select.asking.questions import Questions
from siftstream.agents.select.candidates import Known
from siftstream.agents.select.gate import Gate, Trained
from siftstream.agents.select.ids import Ids
from siftstream.agents.select.memory import Memory
from siftstream.agents.select.rounds import Rounds
from siftstream.agents.select.settings import SelectSettings
from siftstream.agents.select.shelf import Shelf
from siftstream.schemas import Action, Command, Offer, Query, Reason, Scores, Selected, Share, Trigger
from siftstream.streams.record import Record
from tests.agents.select.stream import CLASSES


class Died(Exception):
    """A worker was killed here."""


@dataclass
class Log:
    """What one partition's topics hold."""

    scores: list[Scores] = field(default_factory=list)
    selected: list[tuple[str, Selected | None]] = field(default_factory=list)  # none: a recall
    answered: Ids = field(default_factory=Ids)
    answers: list[str] = field(default_factory=list)
    labelled_to: int = 0
    covered: int = 0  # of the answers, those that a training run knows
    commit: tuple[int, str] = (0, "")

    def standing(self) -> dict[str, Selected]:
        """What was chosen and not recalled, by id."""
        found: dict[str, Selected] = {}
        for name, one in self.selected:
            if one is None:
                found.pop(name, None)
            else:
                found[name] = one
        return found


class World:
    """A pipeline's logs, and the shelf of each partition that works on them."""

    def __init__(
        self, settings: dict[str, Any], partitions: int = 1, classes: Sequence[str] = CLASSES,
        now: float = 1_000_000.0, synchronous: bool = False,
    ) -> None:  # fmt: skip
        self.settings = SelectSettings.model_validate(settings)
        self.rounds = Rounds(self.settings, classes, "spare")
        self.logs = [Log() for _ in range(partitions)]
        self.shares: list[Share] = []
        self.queries: list[Query] = []
        self.offers: list[Offer] = []
        self.questions = Questions(partitions)
        self.commands: list[Command] = []  # those that select wrote
        self.asking = Asking("main")
        self.versions = 0
        self.synchronous, self.trainable = synchronous, True
        trained = Trained(
            lambda p: self.logs[p].labelled_to, lambda p: self.logs[p].covered, lambda: self.versions,
            lambda: self.trainable,
        )  # fmt: skip
        self.gate = Gate(
            self.asking, "main", audit_while_paused=self.settings.audit.while_paused,
            trained=trained if synchronous else None,
        )  # fmt: skip
        self.shelves: list[Shelf] = []
        self.wanting = [0] * partitions
        self.now = now
        self.die_in: int | None = None  # writes until a worker dies: before the write is in the log
        self.shelves = [self.restored(p) for p in range(partitions)]

    # -- one worker's life

    def restored(self, p: int) -> Shelf:
        """A new owner of a partition, as far as its commit goes."""
        log = self.logs[p]
        offset, metadata = log.commit
        shelf = Shelf(self.rounds, p, len(self.logs), offset, Memory.decode(metadata))
        for name, one in log.selected:
            shelf.learn(name, one)
        shelf.begin(log.answered, self.questions.owed(p, shelf.chosen.delivered, self.now))
        for share in self.shares:
            shelf.budget.hear(share)
        self.shelves = [*self.shelves[:p], shelf, *self.shelves[p + 1 :]]
        self.write_shares(shelf.budget.begin())
        return shelf

    def restart(self, p: int) -> None:
        """Kill the owner of a partition; the next one begins at the commit."""
        self.die_in = None
        self.restored(p)
        self.run(p)

    def feed(self, p: int, batch: Scores) -> None:
        """Write a record of scores, and let the shelf work on it."""
        self.logs[p].scores.append(batch)
        self.run(p)

    def run(self, p: int) -> None:
        """Work on all records that the shelf has not seen."""
        shelf, log = self.shelves[p], self.logs[p]
        first = max(shelf.window.head + 1, log.commit[0])
        for offset in range(first, len(log.scores)):
            batch, row = log.scores[offset], 0
            while row < len(batch):
                row = shelf.append(offset, batch, row)
                for drift in shelf.look():
                    self.written(drift)
                for trigger in shelf.due():
                    self.hold(p, trigger)
        self.commit(p)

    def hold(self, p: int, trigger: Trigger) -> int:
        shelf = self.shelves[p]
        held = shelf.hold(
            trigger, self.now, Known(classes=self.rounds.classes), self.gate.may(shelf, trigger)
        )
        self.in_turn(p, held.chosen)
        self.choose(p, held.chosen)
        self.wanting[p] = held.wanting
        return len(held.chosen)

    def choose(self, p: int, made: list[Selected]) -> None:
        if made:
            self.written(made)
            self.logs[p].selected += [(one.sample_id, one) for one in made]
            self.shelves[p].note(made)

    def written(self, what: object) -> None:
        """Every write may be the last moment of a worker."""
        del what
        if self.die_in is not None:
            self.die_in -= 1
            if self.die_in < 0:
                raise Died

    def commit(self, p: int) -> None:
        if self.shelves[p].ready:
            offset, memory = self.shelves[p].floor()
            if offset >= self.logs[p].commit[0]:
                self.logs[p].commit = (offset, memory.encode())

    def share(self, p: int, wanted: int, *, idle: bool) -> None:
        shelf = self.shelves[p]
        self.write_shares(
            shelf.budget.rows(wanted=wanted, idle=idle, event_time=shelf.event_time, now=self.now)
        )

    def write_shares(self, rows: list[Share]) -> None:
        for row in rows:
            self.written(row)
            self.shares.append(row)
            for shelf in self.shelves:
                shelf.budget.hear(row)

    # -- what comes from outside

    def answer(self, p: int, sample_id: str) -> None:
        """Somebody labels or skips a sample."""
        log = self.logs[p]
        if sample_id not in log.answered:
            log.labelled_to = len(log.answers) + 1
        log.answered.add(sample_id)
        log.answers.append(sample_id)
        self.shelves[p].answer([sample_id])

    def care(self, p: int, *, idle: bool = False) -> None:
        """What the stage does when no sample comes."""
        shelf = self.shelves[p]
        if not shelf.ready:
            return
        names = shelf.overdue(self.now)
        if names:
            self.written(names)
            self.logs[p].selected += [(name, None) for name in names]
            shelf.recalled(names)
        for question in self.questions:
            self.ask(p, question)
        if shelf.triggers.ticks(self.now):
            self.hold(p, Trigger.TIME)
        if (kept_back := self.gate.kept_back(shelf)) is not None:
            self.hold(p, kept_back)
        while shelf.budget.refill() > 0 and self.hold(p, Trigger.DEMAND):
            pass
        if (command := self.gate.request(shelf)) is not None:
            self.written(command)
            self.commands.append(command)
        self.share(p, self.wanting[p], idle=idle)
        self.commit(p)

    def ask(self, p: int, question: Any) -> None:
        shelf, name = self.shelves[p], question.query.query_id
        if question.ballot.decision is not None:
            if shelf.desk.has(name):
                self.choose(p, shelf.deliver(question, self.now))
                shelf.release(name)
        elif question.dead(self.now):
            shelf.release(name)
        elif not shelf.desk.has(name) and not question.expired(self.now):
            offer = shelf.offer(question, Known(classes=self.rounds.classes))
            self.written(offer)
            self.offers.append(offer)
            self.questions.hear_offer(Record("offers", 0, len(self.offers), offer.key, offer.encode()))

    def query(self, budget: int, **more: Any) -> Query:
        query = Query(query_id=f"q{len(self.queries)}", budget=budget, asked_at=self.now, **more)
        self.queries.append(query)
        self.questions.hear_query(Record("queries", 0, len(self.queries), query.key, query.encode()))
        return query

    def say(self, action: Action, by: str = "person") -> None:
        """Somebody pauses or resumes asking."""
        self.asking.hear(Command(line="main", action=action, by=by))

    def train(self, upto: list[int] | None = None) -> None:
        """A training run ends, which knew so many answers of each partition; none: all."""
        self.versions += 1
        for p, log in enumerate(self.logs):
            log.covered = max(log.covered, len(log.answers) if upto is None else upto[p])

    # -- what must hold

    def in_turn(self, p: int, made: list[Selected]) -> None:
        """No round chooses while asking is paused or, in synchronous mode, before its turn."""
        if self.asking.paused:
            assert not made or self.settings.audit.while_paused
            assert {one.reason for one in made} <= {Reason.AUDIT}
        elif made and self.synchronous and self.trainable:
            log = self.logs[p]
            standing = log.standing().keys()
            assert standing <= set(log.answers), "somebody has not answered yet"
            assert standing <= set(log.answers[: log.covered]), "no run knows the answers"

    def nobody_is_asked_twice(self) -> None:
        for log in self.logs:
            asked: set[str] = set()
            for name, one in log.selected:
                if one is None:
                    asked.discard(name)
                else:
                    assert name not in asked, f"{name} was asked for twice"
                    asked.add(name)

    def spent(self, p: int) -> list[Selected]:
        """What stands of a partition's own rounds; a query has a budget of its own."""
        return [one for one in self.logs[p].standing().values() if one.query_id is None]


def last(log: Log, size: int, seconds: float | None) -> list[str]:
    """The window as a sentence says it: of the last that came, those not much older than the newest."""
    rows: list[tuple[str, float]] = []
    newest = float("-inf")

    def inside() -> list[str]:
        return [name for name, when in rows if seconds is None or when > newest - seconds]

    for batch in log.scores:
        for name, when in zip(batch.sample_ids, batch.event_times.tolist(), strict=True):
            newest = max(newest, when)
            late = seconds is not None and when <= newest - seconds
            if not late and name not in inside():
                rows = [*rows, (name, when)][-size:]
    return inside()
