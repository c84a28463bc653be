"""A rate: a token bucket of one hour's or day's tokens, cut over the partitions so that the sum is exact.

Tokens are numbered for ever. Token k is issued at k * period / amount (seconds since the epoch of the
account's clock), lives one period, and belongs to partition k mod P, turned by the account's name. A choice
spends a token that lives when it is made. At any time `amount` tokens live, and in [a, b] no more can be
spent than were issued after a - period and up to b: n(b) - n(a) + amount, with n(t) = floor(t * amount /
period). That is the bucket of depth `amount` to which a whole token is added every period / amount
seconds, and less than one token above amount + amount * (b - a) / period. It holds for any number of
partitions, since each token has one owner: of 2 an hour over 64 partitions, each gets one in 32 hours.

GCRA (ATM Forum, Traffic Management 4.0, section 4.4.2) tells the same bucket by one number, the theoretical
arrival time; here it is the number of the next own token: it moves by one a choice, and up to the oldest
living token when time passes. A choice for which no token lives (a limit was lowered) moves nothing, as a
cell that does not conform.

A partition spends its own tokens first, oldest first, then those it was lent, in the order it heard of them:
its own ones then never depend on when gifts were heard, so that the log alone gives the state back. Its
rows carry a mark of that state, and later rounds are counted from there.
"""

from dataclasses import dataclass, replace
from math import floor
from typing import Any, Literal

from siftstream.agents.select.budget.account import Account
from siftstream.agents.select.budget.split import Place, poured
from siftstream.schemas.shares import Lent, Mark, Share

_NEVER = -(1 << 62)  # before every token
_AGAIN = 12  # times a period that an unmet wish is told again, with its new time


@dataclass(frozen=True)
class Lattice:
    """The tokens of an account: `amount` in each `period` of seconds."""

    name: str
    amount: int
    period: float
    partitions: int

    def newest(self, at: float) -> int:
        """The number of the token issued last.

        >>> Lattice("hour", 2, 3600.0, 1).newest(5400.0)
        3
        """
        return floor(at * self.amount / self.period)

    def living(self, partition: int, at: float) -> range:
        """A partition's own numbers of its tokens that live: own number j is token j * P + its place.

        >>> hour = Lattice("hour", 4, 3600.0, 2)
        >>> [len(hour.living(p, 3600.0)) for p in (0, 1)]
        [2, 2]
        """
        newest, place = self.newest(at), Place(partition, self.partitions).turned(self.name)
        oldest = newest - self.amount + 1
        return range(-((place - oldest) // self.partitions), (newest - place) // self.partitions + 1)


@dataclass(frozen=True)
class _Loan:
    giver: int
    first: int
    end: int


class Rate(Account):
    """One partition's tokens of a rate.

    >>> rate = Rate("hour", 4, 3600.0, "event", Place(0, 1))
    >>> for second in (3600.0, 3600.0, 3610.0):
    ...     rate.spend(second)
    >>> rate.left(3610.0), rate.left(4500.0)
    (1, 2)
    """

    def __init__(
        self, name: str, amount: int, period: float, clock: Literal["event", "processing"], place: Place
    ) -> None:
        super().__init__(name, place)
        self._lattice = Lattice(name, amount, period, place.partitions)
        self._clock = clock
        self._next = _NEVER
        self._loans: list[_Loan] = []  # to this partition, as heard
        self._heard: dict[int, int] = {}  # by giver: loans up to this number were heard
        self._taken: dict[int, int] = {}
        self._lent: list[Lent] = []
        self._round = -1
        self._restored = -1

    def hear(self, row: Share) -> None:
        super().hear(row)
        me, giver = self.place.partition, row.partition
        for lent in row.lent:
            first = max(lent.first, self._heard.get(giver, _NEVER), self._taken.get(giver, _NEVER))
            if lent.to == me != giver and first < lent.end:
                self._loans.append(_Loan(giver, first, lent.end))
                self._heard[giver] = lent.end

    def restore(self, row: Share) -> None:
        super().restore(row)
        self._lent = list(row.lent)
        if row.mark is not None:
            self._restored = self._round = row.mark.round
            self._next, self._taken = row.mark.next, dict(row.mark.taken)
            self._loans = [
                replace(loan, first=first)
                for loan in self._loans
                if (first := max(loan.first, self._taken.get(loan.giver, _NEVER))) < loan.end
            ]

    def left(self, at: float) -> int:
        """Living tokens of this partition that were neither spent nor given."""
        own = self._own(at)
        return len(own) + sum(len(self._usable(loan, at)) for loan in self._loans)

    def _own(self, at: float) -> range:
        living = self._lattice.living(self.place.partition, at)
        return range(max(living.start, self._next), living.stop)

    def _usable(self, loan: _Loan, at: float) -> range:
        living = self._lattice.living(loan.giver, at)
        return range(max(living.start, loan.first), min(living.stop, loan.end))

    def spend(self, at: float, *, round_: int = -1, count: int = 1) -> None:
        """Spend so many tokens at a time: own ones first, then lent ones."""
        self._round = max(self._round, round_)
        own = self._own(at)
        mine = min(count, len(own))
        if mine:
            self._next = own.start + mine
        for _ in range(count - mine):
            self._spend_lent(at)

    def count(self, at: float, round_: int, count: int = 1) -> None:
        """Spend what a round did, unless the mark of an earlier owner holds it."""
        if round_ > self._restored:
            self.spend(at, round_=round_, count=count)

    def _spend_lent(self, at: float) -> None:
        for index, loan in enumerate(self._loans):
            usable = self._usable(loan, at)
            if len(usable):
                self._taken[loan.giver] = usable.start + 1
                self._loans[index] = replace(loan, first=usable.start + 1)
                break
        self._loans = [
            loan for loan in self._loans
            if loan.first < loan.end and loan.end > self._lattice.living(loan.giver, at).start
        ]  # fmt: skip

    def give(self, *, wanted: int, idle: bool, at: float) -> None:
        """Give own living tokens when idle; those that were lent are not passed on, they die soon enough.

        An idle partition's event time stands still, so there tokens are given that live at the time of the
        one that wants them; what would have lived between is forgone.
        """
        if not idle:
            return
        wishes = self.wishes()
        spare = max(0, max((len(self._own(self._when(who, at))) for who in wishes), default=0) - wanted)
        for who, part in poured(spare, wishes).items():
            own = self._own(self._when(who, at))[:part]
            if len(own):
                self._next = own.stop
                self.given[who] = self.given.get(who, 0) + len(own)
                self._lend(Lent(who, own.start, own.stop))

    def _when(self, who: int, at: float) -> float:
        return self._at[who] if self._clock == "event" else at

    def _lend(self, lent: Lent) -> None:
        last = self._lent[-1] if self._lent else None
        if last is not None and last.to == lent.to and last.end == lent.first:
            self._lent[-1] = Lent(lent.to, last.first, lent.end)
        else:
            self._lent.append(lent)

    def said(self, at: float) -> dict[str, Any]:
        """What was given to whom, the loans that live, and the mark."""
        newest = max([at, *(self._at[who] for who in self._wants)])
        oldest = self._lattice.living(self.place.partition, newest).start
        self._lent = [lent for lent in self._lent if lent.end > oldest]
        living = {g: n for g, n in self._taken.items() if n > self._lattice.living(g, at).start}
        self._taken = living
        mark = Mark(self._round, self._next, dict(living))
        return {"given": dict(self.given), "lent": tuple(self._lent), "mark": mark}

    def outdated(self, said: Share, at: float) -> bool:
        """Whether a wish's time is that old that tokens given for it might be dead."""
        return at - said.at >= self._lattice.period / _AGAIN
