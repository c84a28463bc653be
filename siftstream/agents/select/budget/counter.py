"""A bounded counter: a limit in whole numbers, of which each partition spends its own part.

Each partition holds its share, more what others gave it, less what it gave: the parts sum to the limit
whatever was read when, for a gift leaves the giver before anyone hears of it. This is the bounded counter
of Balegas et al., "Extending Eventually Consistent Cloud Databases for Enforcing Numeric Invariants"
(SRDS 2015), section IV, with a log in place of replicas that merge. A partition that has given more
than it got may claim it back of what others hold beyond their own shares, as soon as that is free.
"""

from typing import Any

from siftstream.agents.select.budget.account import Account
from siftstream.agents.select.budget.split import Place, poured
from siftstream.schemas.shares import Share


class Counter(Account):
    """One partition's part of a limit.

    >>> counter = Counter("total", 10, Place(partition=2, partitions=4))
    >>> counter.spent = 1
    >>> counter.left()
    2
    """

    def __init__(self, name: str, limit: int, place: Place) -> None:
        super().__init__(name, place)
        self.limit = limit
        self.share = place.share(name, limit)
        self.spent = 0
        self._got = 0
        self._gave = 0

    def hear(self, row: Share) -> None:
        me = self.place.partition
        before = self._rows.get(row.partition, {}).get(me, 0)
        super().hear(row)
        if row.partition != me:
            self._got += row.given.get(me, 0) - before

    def restore(self, row: Share) -> None:
        super().restore(row)
        self._gave = sum(self.given.values())

    @property
    def held(self) -> int:
        """What this partition may have spent at once: its share, and what was given."""
        return self.share + self._got - self._gave

    @property
    def _beyond(self) -> int:
        return max(0, self._got - self._gave)

    def _claims(self) -> dict[int, int]:
        """What others want of their own shares."""
        claims = {who: min(wanted, -self._net[who]) for who, wanted in self.wishes().items()}
        return {who: claim for who, claim in claims.items() if claim > 0}

    def left(self, at: float = 0.0) -> int:
        """What may be spent now; what others claim back of their shares is kept for them."""
        del at
        owed = min(self._beyond, sum(self._claims().values())) if self._wants else 0
        return max(0, self.held - self.spent - owed)

    def give(self, *, wanted: int, idle: bool, at: float = 0.0) -> None:
        """Give what is not needed: all when idle, else what others claim or what is beyond the share."""
        del at
        self._pour(min(self._beyond, self.held - self.spent), self._claims())
        spare = self.held - self.spent - wanted
        self._pour(spare if idle else min(self._beyond, spare), self.wishes())

    def _pour(self, amount: int, wishes: dict[int, int]) -> None:
        for who, part in poured(max(0, amount), wishes).items():
            self.given[who] = self.given.get(who, 0) + part
            self._gave += part

    def said(self, at: float = 0.0) -> dict[str, Any]:
        """What was given to whom."""
        del at
        return {"given": dict(self.given)}
