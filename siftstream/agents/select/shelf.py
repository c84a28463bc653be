"""One partition's selection, without Kafka and without a clock: its window, what was chosen, what may be.

The stage writes what `hold`, `offer` and the others return, waits for the acknowledgement, and then lets it
stand by `note`: what this class believes is never ahead of the log.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import floor, inf
from typing import Final

from siftstream.agents.select.asking.desk import Desk
from siftstream.agents.select.asking.questions import Question
from siftstream.agents.select.budget.budget import Budget
from siftstream.agents.select.candidates import Known, Slots
from siftstream.agents.select.chosen import Chosen
from siftstream.agents.select.drift.rows import Rows
from siftstream.agents.select.drift.watch import Actions, DriftWatch
from siftstream.agents.select.ids import Ids
from siftstream.agents.select.memory import Memory
from siftstream.agents.select.picking import NOTHING
from siftstream.agents.select.quotas import Room
from siftstream.agents.select.rounds import May, Place, Rounds
from siftstream.agents.select.triggers import Triggers
from siftstream.agents.select.turns import Turns
from siftstream.agents.select.window.floor import Floor
from siftstream.agents.select.window.state import State
from siftstream.agents.select.window.window import Window
from siftstream.schemas import Drift, Offer, Scores, Selected, ShadowRound, Trigger

NEW: Final = Memory()


@dataclass(frozen=True)
class Held:
    """What a round said: its choices, what shadows would have chosen, how many more the budget forbade."""

    chosen: list[Selected] = field(default_factory=list[Selected])
    shadows: list[ShadowRound] = field(default_factory=list[ShadowRound])
    wanting: int = 0


class Shelf:
    """A partition as one worker holds it for one generation of the group."""

    def __init__(
        self, rounds: Rounds, partition: int, partitions: int, offset: int = 0,
        memory: Memory = NEW, line: str = "", owner: int = 0,
    ) -> None:  # fmt: skip
        """Args: how rounds are held; which of how many partitions; the commit and what went with it; the main
        line of models; the group's generation, which tells owners apart.
        """
        settings = rounds.settings
        self.partition, self._rounds, self._settings, self._memory = partition, rounds, settings, memory
        start = Floor(
            offset, memory.seen, -inf if memory.watermark is None else memory.watermark, memory.source
        )
        self.window = Window(settings.window.size, seconds=settings.window.seconds, line=line, start=start)
        self.chosen, self.answered = Chosen(last_round=memory.done), Ids()
        self._partitions = partitions
        self.budget = self.new_budget(owner)
        self.triggers = Triggers(settings.trigger)
        self.drift = DriftWatch(settings.drift, partition, memory.drift)
        self.desk = Desk(rounds, partition)
        self.turns = Turns()
        self.kept_back: Trigger | None = None  # what made the round due that waits for its turn
        self.read = memory.head  # the last offset that was looked at, also where it held nothing
        self._owed: list[Offer] = []

    # -- from the log, before the first record

    def learn(self, sample_id: str, one: Selected | None) -> None:
        """Take one record of `selected`: a choice, or none where it was recalled."""
        if one is None:
            self.chosen.recall(sample_id)
        else:
            self.chosen.note(one)
        self.spend(sample_id, one)

    def spend(self, sample_id: str, one: Selected | None) -> None:
        """Take one record of `selected` into the budget alone."""
        if one is None:
            self.budget.recall(sample_id)
        else:
            self.budget.note(one)

    def begin(self, answered: Ids, owed: Iterable[Offer] = ()) -> None:
        """Go on from what was learned; `answered` grows with `labelled`, `owed` is to be delivered."""
        self.answered, self._owed = answered, list(owed)
        self.settle()
        seconds = self._settings.trigger.seconds
        periods = self._memory.periods
        if seconds is not None and self.chosen.timed_to > -inf:
            periods = max(floor(self.chosen.timed_to / seconds), -(1 << 62) if periods is None else periods)
        counted = max(self._memory.counted_to, self.chosen.counted_to)
        self.triggers = Triggers(self._settings.trigger, counted_to=counted, periods=periods)
        if self._memory.counted_to > self.chosen.counted_to:  # that round chose nothing: perhaps out of turn
            self.kept_back = Trigger.COUNT

    def settle(self) -> None:
        """Take out of the queue what was answered already."""
        for name in self.budget.unanswered:
            if name in self.answered:
                self.budget.answer(name)

    def new_budget(self, owner: int) -> Budget:
        """Begin the budget anew; it has to learn all of the log."""
        where = (self.partition, self._partitions)
        self.budget = Budget(self._settings.budget, self._settings.outstanding, *where, owner)
        return self.budget

    @property
    def known_head(self) -> int:
        """The last offset that an earlier life handled."""
        return self._memory.head

    @property
    def event_time(self) -> float:
        """Newest event time of the partition, seconds; 0 before the first sample."""
        return self.window.watermark if self.window.seen else 0.0

    @property
    def ready(self) -> bool:
        """Whether the window is again where an earlier life left it."""
        return self.window.head >= self._memory.head

    # -- arrivals

    def append(self, offset: int, batch: Scores, start: int) -> int:
        """Add samples from row `start` up to the next place where something is due; return the row after."""
        if batch.again:
            self.window.replace(offset, batch)
            return len(batch)
        window = self.window
        at_most = min(self.triggers.until_count(window.seen), self.drift.until_check(window.seen))
        if self._owed:
            at_most = min(at_most, max(1, self._owed[0].seen - window.seen))
        row = window.append(
            offset, batch, self._state_of, start=start, at_most=at_most, until=self.triggers.until_time()
        )  # fmt: skip
        while self._owed and self._owed[0].seen <= window.seen:
            self.desk.keep_again(self._owed.pop(0), window)
        return row

    def due(self) -> list[Trigger]:
        """Return what makes a round due at this place."""
        return self.triggers.due(seen=self.window.seen, event_time=self.window.watermark)

    def look(self) -> list[Drift]:
        """Return the drift that is found at this place."""
        return self.drift.look(self.window.seen, self.window.head, self._newest)

    def _newest(self, count: int) -> Rows:
        """Return the main line's rows among the last `count` samples, as they came."""
        window = self.window
        slots = window.newest_rows(count)
        slots = slots[window.is_mains(slots)]
        return Rows(
            window.order[slots], window.confidences[slots], window.embeddings[slots],
            [window.names[code] for code in window.arrived_codes[slots].tolist()],
            [window.names[code] for code in window.encoder_codes[slots].tolist()],
        )  # fmt: skip

    def _state_of(self, sample_id: str) -> State:
        if sample_id in self.answered:
            return State.LABELLED
        if sample_id in self.chosen.ids or sample_id in self.desk:
            return State.SELECTED
        return State.RECALLED if sample_id in self.chosen.recalled else State.FREE

    # -- choosing

    def free(self) -> Slots:
        """The rows that may be chosen now, oldest first."""
        slots = self.desk.free(self.window, self.window.candidates())
        share = self._acting.window_share
        if share is None:
            return slots
        return slots[self.window.order[slots] >= self.window.seen - share * len(self.window)]

    def hold(self, trigger: Trigger, now: float, known: Known = NOTHING, may: May = May.ALL) -> Held:
        """Choose for a round what it may; nothing stands before `note`."""
        if may is May.LATER and trigger is not Trigger.DEMAND:  # a demand comes again by itself
            self.kept_back = trigger
        if may in (May.LATER, May.NOTHING):
            return Held()
        self.kept_back = None
        free = self.free()
        wanted = min(self._wanted(trigger), len(free))
        left = self.budget.left(seen=self.window.seen, event_time=self.event_time, now=now, most=self._most)
        size = min(wanted, left)
        if size <= 0:
            return Held(wanting=max(0, wanted))
        place = Place(self.partition, self.chosen.last_round + 1, trigger, now)
        if may is May.AUDIT:
            return Held(self._rounds.audit(self.window, free, size, place))
        room = (
            Room(self.budget, self._rounds.classes, self._rounds.untrained)
            if self.budget.has_quotas
            else None
        )
        made, shadows = self._rounds.hold(self.window, free, size, place, known, room)
        return Held(made, shadows, wanted - len(made))

    def _wanted(self, trigger: Trigger) -> int:
        return min(self._most, self.budget.refill()) if trigger is Trigger.DEMAND else self._most

    @property
    def _acting(self) -> Actions:
        """What drift makes different now."""
        return self.drift.acting(self.window.seen)

    @property
    def _most(self) -> int:
        return round(self._settings.budget.per_round * self._acting.budget_factor)

    def note(self, made: Iterable[Selected]) -> None:
        """Let choices stand that are in the log."""
        for one in made:
            self.learn(one.sample_id, one)
            self.window.mark(one.sample_id, State.SELECTED)

    # -- answers and recalls

    def answer(self, sample_ids: Iterable[str]) -> None:
        """Learn that samples were labelled or skipped."""
        for name in sample_ids:
            self.budget.answer(name)
            self.window.mark(name, State.LABELLED)

    def overdue(self, now: float) -> list[str]:
        """Return the samples that nobody answered in time."""
        return [name for name in self.budget.overdue(now) if name not in self.answered]

    def recalled(self, sample_ids: Iterable[str]) -> None:
        """Let recalls stand that are in the log."""
        for name in sample_ids:
            self.learn(name, None)
            self.window.mark(name, State.RECALLED)

    # -- queries

    def offer(self, question: Question, known: Known = NOTHING) -> Offer:
        """Choose the best for a query and keep them for it."""
        free = self.desk.free(self.window, self.window.candidates())
        return self.desk.offer(question.query, self.window, free, known)

    def deliver(self, question: Question, now: float) -> list[Selected]:
        """Return this partition's part of a decided query that was not delivered yet."""
        made = self.desk.deliver(question, self.chosen.last_round + 1, now)
        return [one for one in made if one.sample_id not in self.chosen.ids]

    def release(self, query_id: str) -> None:
        """Keep nothing for a query any more."""
        self.desk.release(query_id)

    # -- the commit

    def floor(self) -> tuple[int, Memory]:
        """Return the offset to commit and what goes with it."""
        first = min([self.window.floor(), *self.desk.floors], key=lambda found: found.offset)
        watermark = first.watermark if first.watermark > -inf else None
        return first.offset, Memory(
            seen=first.seen, watermark=watermark, source=first.source, done=self.chosen.last_round,
            counted_to=self.triggers.counted_to, periods=self.triggers.periods,
            head=max(self.window.head, self._memory.head),
            rows=len(self.window), total=self.window.seen, drift=self.drift.remember(),
        )  # fmt: skip

    def digest(self) -> Mapping[str, object]:
        """Return what two equal lives have equal."""
        return {"window": self.window.digest(), "round": self.chosen.last_round, "seen": self.window.seen}
