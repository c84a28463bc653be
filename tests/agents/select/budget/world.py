"""Budgets of several partitions over logs in memory: owners that lag, die, and go on as zombies."""

from collections import defaultdict
from dataclasses import dataclass, field

from siftstream.agents.select.budget.budget import Budget
from siftstream.agents.select.budget.settings import BudgetSettings
from siftstream.agents.select.settings import OutstandingSettings
from siftstream.schemas import Reason, Selected
from siftstream.schemas.shares import Share

NO_QUEUE = OutstandingSettings()
LARGE = 10**6


def choice(
    name: str, partition: int = 0, *, at: float = 0.0, event_time: float | None = None, number: int = 0,
    reason: Reason = Reason.STRATEGY, prediction: str = "cat", metadata: dict[str, str] | None = None,
) -> Selected:  # fmt: skip
    """Return a choice; its event time is its processing time where nothing else is said."""
    return Selected(
        sample_id=name, uri=f"mem:{name}", partition=partition, round=number, round_size=1, rank=0, score=0.0,
        strategy="margin", reason=reason, prediction=prediction, position=0, seed=0, selected_at=at,
        event_time=at if event_time is None else event_time, metadata=metadata or {},
    )  # fmt: skip


@dataclass
class Owner:
    """A budget, how far it has read the log of shares, and rows it has not written yet."""

    budget: Budget
    read: int = 0
    unwritten: list[Share] = field(default_factory=list[Share])


class World:
    """The logs of a pipeline, and an owner for each partition."""

    def __init__(self, settings: BudgetSettings, outstanding: OutstandingSettings, partitions: int) -> None:
        self.settings, self.outstanding, self.partitions = settings, outstanding, partitions
        self.shares: list[Share] = []
        self.selected: defaultdict[int, list[Selected | str]] = defaultdict(list)  # a text recalls
        self.answered: defaultdict[int, list[str]] = defaultdict(list)
        self.spent_at: list[float] = []
        self.waiting: defaultdict[int, dict[str, Selected]] = defaultdict(dict)
        self.standing: dict[str, Selected] = {}
        self.now = 1_000_000.0
        self.count = 0
        self.owners = [self.start(p) for p in range(partitions)]
        self.zombies: list[Owner] = []

    # -- owners

    def start(
        self, partition: int, *, choices_first: bool = False, between: list[Share] | None = None
    ) -> Owner:
        """Return a new owner, fed from the logs; rows `between` are written while it begins."""
        self.count += 1
        owner = Owner(Budget(self.settings, self.outstanding, partition, self.partitions, owner=self.count))
        if choices_first:
            self._history(owner.budget, partition)
        self.read(owner)
        fence = owner.budget.begin()
        self.shares += (between or []) + fence
        self.read(owner)
        if not choices_first:
            self._history(owner.budget, partition)
        return owner

    def _history(self, budget: Budget, partition: int) -> None:
        for one in self.selected[partition]:
            if isinstance(one, str):
                budget.recall(one)
            else:
                budget.note(one)
        for name in self.answered[partition]:
            budget.answer(name)

    def read(self, owner: Owner, count: int = LARGE) -> None:
        """Let an owner hear so many rows more."""
        rows = self.shares[owner.read : owner.read + count]
        owner.read += len(rows)
        for row in rows:
            owner.budget.hear(row)

    def share(self, owner: Owner, *, wanted: int, idle: bool) -> None:
        """Let an owner make rows; `write` writes them."""
        owner.unwritten += owner.budget.rows(wanted=wanted, idle=idle, event_time=self.now, now=self.now)

    def write(self, owner: Owner) -> None:
        """Write an owner's rows."""
        self.shares += owner.unwritten
        owner.unwritten = []

    def calm(self) -> None:
        """Write and read everything."""
        for owner in self.owners:
            self.write(owner)
        for owner in self.owners:
            self.read(owner)

    def all_to(self, partition: int) -> None:
        """Let everyone be idle but one, that wants whatever there is, until nothing moves any more."""
        for owner in self.owners:  # nobody else wants anything
            self.share(owner, wanted=0, idle=False)
        self.calm()
        before, turns = -1, 0
        while before < len(self.shares):
            before, turns = len(self.shares), turns + 1
            assert turns < 50, "gifts never come to rest"
            for p, owner in enumerate(self.owners):
                owner.budget.room("cat", {})
                self.share(owner, wanted=LARGE if p == partition else 0, idle=p != partition)
                self.calm()

    # -- choices

    def left(self, partition: int) -> int:
        """What the owner would let a round choose."""
        budget = self.owners[partition].budget
        return budget.left(seen=LARGE, event_time=self.now, now=self.now, most=LARGE)

    def choose(self, partition: int, wanted: int, prediction: str, reason: Reason) -> int:
        """Hold a round; return how many it chose."""
        budget = self.owners[partition].budget
        size = min(wanted, self.left(partition))
        room = budget.room(prediction, {}) if reason is not Reason.AUDIT else None
        size = size if room is None else min(size, room)
        number = len(self.selected[partition])
        for _ in range(size):
            self.count += 1
            one = choice(
                f"s{self.count}", partition, at=self.now, number=number, reason=reason, prediction=prediction
            )
            budget.note(one)
            self.selected[partition].append(one)
            self.waiting[partition][one.sample_id] = one
            self.standing[one.sample_id] = one
            self.spent_at.append(self.now)
        return size

    def recall(self, partition: int, index: int) -> None:
        """Take back a choice that waits."""
        names = list(self.waiting[partition])
        if names:
            name = names[index % len(names)]
            del self.waiting[partition][name], self.standing[name]
            self.selected[partition].append(name)
            self.owners[partition].budget.recall(name)

    def answer(self, partition: int, index: int) -> None:
        """Answer a choice that waits."""
        names = list(self.waiting[partition])
        if names:
            name = names[index % len(names)]
            del self.waiting[partition][name]
            self.answered[partition].append(name)
            self.owners[partition].budget.answer(name)
