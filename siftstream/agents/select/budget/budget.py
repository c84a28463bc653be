"""The budget of one partition: every limit at once, its part of those that all partitions share."""

from collections.abc import Mapping
from fractions import Fraction
from math import ceil
from typing import Final

from siftstream.agents.select.budget.account import Account
from siftstream.agents.select.budget.counter import Counter
from siftstream.agents.select.budget.epochs import FENCE, Epochs
from siftstream.agents.select.budget.naming import Quotas
from siftstream.agents.select.budget.queue import Queue
from siftstream.agents.select.budget.rate import Rate
from siftstream.agents.select.budget.replay import Rounds
from siftstream.agents.select.budget.settings import BudgetSettings
from siftstream.agents.select.budget.split import Place
from siftstream.agents.select.settings import OutstandingSettings
from siftstream.schemas import Reason, Selected
from siftstream.schemas.shares import Share

HOUR: Final = 3_600.0
DAY: Final = 86_400.0


class Budget:
    """What one owner of a partition may choose: a fold of the partition's own choices and of all shares.

    Fed in this order: `hear` the topic `budget` to its end; write what `begin` returns and hear on until it
    is among the rows; `note` and `recall` the topic `selected`; `answer` the topic `labelled`; then go on
    with all of them. Nothing may be spent before the own fence was heard. What is `fenced` is void:
    make another. Rows may also be heard after choices were noted; that costs 24 bytes a round until
    the fence was heard.

    >>> budget = Budget(BudgetSettings(per_round=8, total=5), OutstandingSettings(), 0, 1)
    >>> budget.left(seen=100, event_time=0.0, now=0.0)
    5
    """

    def __init__(
        self,
        settings: BudgetSettings,
        outstanding: OutstandingSettings,
        partition: int,
        partitions: int,
        owner: int = 0,
    ) -> None:
        """Args: settings of budget and queue; the partition, of how many; a number of its owner that differs
        from that of any other owner at the time, such as the consumer group's generation.
        """
        self._settings, self._outstanding = settings, outstanding
        self._place = Place(partition, partitions)
        self._fraction = None if settings.fraction is None else Fraction(repr(settings.fraction))
        self._quotas = Quotas(settings)
        self._epochs = Epochs(partition, owner)
        self._queue = Queue()
        self._chosen = Counter("chosen", 0, self._place)  # counts alone: choices that were not recalled
        self._total = _counter("total", settings.total, self._place)
        self._wait = _counter("outstanding", outstanding.high, self._place)
        self._rates = _buckets(settings, self._place)
        shared: list[Account | None] = [self._total, self._wait, *self._rates]
        self._accounts: dict[str, Account] = {account.name: account for account in shared if account}
        self._always = frozenset(self._accounts)
        self._stirred: set[str] = set()  # quotas of which there may be something to tell
        self._short: set[str] = set()  # quotas that turned a sample away
        self._own: dict[str, Share] = {}  # the newest row of this partition that counts, by account
        self._said: dict[str, Share] = {}  # what this owner told last, written or not yet
        self._shared = partitions > 1 and bool(self._accounts or self._quotas)
        self._ready = not self._shared
        self._before: Rounds | None = Rounds() if self._shared and self._rates else None

    # -- the partition's own history

    def note(self, one: Selected) -> None:
        """Count a choice of this partition; a query's counts among the outstanding alone."""
        if one.sample_id in self._queue:  # the same record twice
            return
        counted = [self._wait] if self._wait else []
        if one.reason is not Reason.QUERY:
            counted += [self._chosen, self._total] if self._total else [self._chosen]
            if one.reason is not Reason.AUDIT:
                counted += [self._quota(name) for name in self._quotas.of(one.prediction, one.metadata)]
            self._spend_tokens(one)
        for counter in counted:
            counter.spent += 1
        self._queue.add(one.sample_id, one.selected_at, counted)

    def _spend_tokens(self, one: Selected) -> None:
        at = self._clock(one.event_time, one.selected_at)
        if self._before is not None:
            self._before.add(at, one.round)
            return
        for rate in self._rates:
            rate.count(at, one.round)

    def recall(self, sample_id: str) -> None:
        """Give back a choice that nobody answered; its tokens of an hour and day stay spent."""
        for counter in self._queue.pop(sample_id) or ():
            counter.spent -= 1

    def answer(self, sample_id: str) -> None:
        """Take a labelled or skipped sample out of the queue; unknown ones cost nothing."""
        if self._queue.pop(sample_id) is not None and self._wait:
            self._wait.spent -= 1

    # -- what the partitions tell each other

    def hear(self, share: Share) -> None:
        """Learn a row of the topic `budget`, in the order of the log."""
        if not self._epochs.hear(share):
            return
        if share.account == FENCE:
            if self._epochs.begun and not self._ready:
                self._go_on()
            return
        mine = share.partition == self._place.partition
        if mine:
            self._own[share.account] = share
        account = self._account(share.account)
        if account is not None:
            account.hear(share)
            if share.wants and not mine:
                self._stirred.add(share.account)

    def _go_on(self) -> None:
        """Start from where the rows before the own fence leave this partition."""
        self._ready = True
        for name, row in self._own.items():
            account = self._account(name)
            if account is not None:
                account.restore(row)
        for at, number, count in self._before or ():
            for rate in self._rates:
                rate.count(at, number, count)
        self._before = None

    def begin(self) -> list[Share]:
        """Return the row that begins an epoch: write it, and hear the topic to its end before spending."""
        return [self._epochs.begin()] if self._shared and self._epochs.mine < 0 else []

    @property
    def fenced(self) -> bool:
        """Whether another owner began after this one: nothing may be spent, this budget is void."""
        return self._epochs.fenced

    def stale(self) -> list[bytes]:
        """Keys of rows that an earlier owner wrote and this one has replaced: to be emptied (tombstones)."""
        return self._epochs.stale()

    def rows(self, *, wanted: int, idle: bool, event_time: float, now: float) -> list[Share]:
        """Return the rows that changed; what they give is gone at once. What was noted must be in the log.

        Args:
            wanted: How many more a round would have chosen than the budget let it.
            idle: Whether no samples came for `reshare_after` seconds.
            event_time: Newest event time of the partition, seconds.
            now: Processing time, seconds.
        """
        if not (self._shared and self._epochs.begun):
            return []
        wanted = wanted if self._settings.reshare_after else 0
        at = self._clock(event_time, now)
        self._short = self._short if wanted else set()
        unsettled = self._epochs.unsettled()
        names = sorted(self._always | self._stirred | self._short | unsettled)
        return [row for name in names if (row := self._row(name, wanted, idle, at, name in unsettled))]

    def _row(self, name: str, wanted: int, idle: bool, at: float, unsettled: bool) -> Share | None:
        """Return an account's row if it changed, or if an earlier owner wrote the one that counts."""
        account, said = self._account(name), self._said.get(name)
        if account is None:  # of other settings: kept, for they may come back
            own = self._own.get(name) or Share(account=name, partition=self._place.partition, epoch=0)
            row = own.model_copy(update={"epoch": self._epochs.mine, "wants": 0})
        else:
            asks = name in self._always or name in self._short
            short = max(0, wanted - account.left(at)) if asks else 0
            account.give(wanted=wanted if asks else 0, idle=idle, at=at)
            if not (short or account.wishes()):
                self._stirred.discard(name)
            if short:
                self._stirred.add(name)  # until it is told that it no longer wants
            row = self._made(account, short, at)
        before = (said.given, said.wants) if said else ({}, 0)
        again = bool(account and said and row.wants and account.outdated(said, at))
        if (row.given, row.wants) == before and not again and (said is not None or not unsettled):
            return None
        self._said[name] = row
        return row

    def _made(self, account: Account, wants: int, at: float) -> Share:
        where = {"account": account.name, "partition": self._place.partition, "epoch": self._epochs.mine}
        return Share.model_validate(where | {"wants": wants, "at": at if wants else 0.0} | account.said(at))

    # -- what may be spent

    def left(self, *, seen: int, event_time: float, now: float, most: int | None = None) -> int:
        """Return how many a round may choose by every limit but the quotas.

        Args:
            seen: Samples of the partition so far.
            event_time: Newest event time of the partition, seconds.
            now: Processing time, seconds.
            most: The limit of this round, where it is not `per_round`: drift may raise it.
        """
        if self._shared and not (self._ready and self._epochs.begun):
            return 0
        at = self._clock(event_time, now)
        limits = [self._settings.per_round if most is None else most]
        limits += [self._accounts[name].left(at) for name in self._always]
        if self._fraction is not None:
            limits.append(self._fraction.numerator * seen // self._fraction.denominator - self._chosen.spent)
        return max(0, min(limits))

    @property
    def has_quotas(self) -> bool:
        """Whether classes or metadata have limits of their own."""
        return bool(self._quotas)

    def quotas_of(self, prediction: str | None, metadata: Mapping[str, str]) -> tuple[str, ...]:
        """Return the quotas that such a sample falls under."""
        return tuple(self._quotas.of(prediction, metadata))

    def room_in(self, quota: str) -> int:
        """Return the room of one quota; one that has none is asked of the others by the next `rows`."""
        if self._shared and not (self._ready and self._epochs.begun):
            return 0
        left = self._quota(quota).left()
        if not left:
            self._short.add(quota)
        return left

    def room(self, prediction: str | None, metadata: Mapping[str, str]) -> int | None:
        """Return the least room of the quotas that such a sample falls under; none where it has no quota."""
        return min((self.room_in(name) for name in self._quotas.of(prediction, metadata)), default=None)

    # -- the annotators' queue

    @property
    def waiting(self) -> int:
        """Samples of this partition that were chosen and not answered."""
        return len(self._queue)

    @property
    def unanswered(self) -> list[str]:
        """Their ids."""
        return self._queue.names()

    def overdue(self, now: float) -> list[str]:
        """Return samples that have waited longer than `outstanding.ttl`, oldest first."""
        ttl = self._outstanding.ttl
        return [] if ttl is None else self._queue.older_than(now - ttl)

    def refill(self) -> int:
        """Return how many a demand round should choose: up to `high` when the queue fell under `low`.

        Where others gave of their parts of `high`, the part of `low` goes with it.
        """
        low, high, wait = self._outstanding.low, self._outstanding.high, self._wait
        if low is None or high is None or wait is None:
            return 0
        share = self._place.share(wait.name, low)
        low_here = share if wait.held == wait.share else ceil(low * wait.held / high)
        return max(0, wait.left()) if self.waiting < low_here else 0

    # -- accounts

    def _clock(self, event_time: float, now: float) -> float:
        return event_time if self._settings.clock == "event" else now

    def _account(self, name: str) -> Account | None:
        if name not in self._accounts:
            limit = self._quotas.limit(name)
            return None if limit is None else self._quota(name)
        return self._accounts[name]

    def _quota(self, name: str) -> Counter:
        """Return a quota's counter, made when its value is first met."""
        found = self._accounts.get(name)
        if found is None:
            found = self._accounts[name] = Counter(name, self._quotas.limit(name) or 0, self._place)
        assert isinstance(found, Counter)
        return found


def _counter(name: str, limit: int | None, place: Place) -> Counter | None:
    return None if limit is None else Counter(name, limit, place)


def _buckets(settings: BudgetSettings, place: Place) -> list[Rate]:
    """The rates; a name holds its settings, for with other ones its tokens are other tokens."""
    clock = settings.clock
    periods = (("hour", settings.per_hour, HOUR), ("day", settings.per_day, DAY))
    return [
        Rate(f"{name}:{amount}:{clock}", amount, period, clock, place)
        for name, amount, period in periods
        if amount is not None
    ]
