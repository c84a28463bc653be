"""One account as the `budget` log tells it: what every partition gave to whom, and what each still wants."""

from abc import ABC, abstractmethod
from collections import defaultdict
from typing import Any, Final

from siftstream.agents.select.budget.split import Place
from siftstream.schemas.shares import Share


class Account(ABC):
    """A limit that partitions share, seen from one of them.

    What was heard follows the log alone, so it is the same for everyone who has read as far; what this
    partition gave (`given`) counts at once, before its row is written.
    """

    def __init__(self, name: str, place: Place) -> None:
        self.name: Final = name
        self.place: Final = place
        self.given: dict[int, int] = {}
        self._rows: dict[int, dict[int, int]] = {}  # by giver: what it gave to whom, in all
        self._wants: dict[int, int] = {}
        self._at: dict[int, float] = {}
        self._net: defaultdict[int, int] = defaultdict(int)  # by partition: what it got, less what it gave

    def hear(self, row: Share) -> None:
        """Learn a row that counts, this partition's own ones too."""
        who, before = row.partition, self._rows.get(row.partition, {})
        for to in before.keys() | row.given.keys():
            more = row.given.get(to, 0) - before.get(to, 0)
            self._net[to] += more
            self._net[who] -= more
            if to in self._wants:
                self._wants[to] = max(0, self._wants[to] - more)
        self._rows[who] = row.given
        self._wants.pop(who, None)
        if row.wants:
            self._wants[who], self._at[who] = row.wants, row.at

    def restore(self, row: Share) -> None:
        """Go on from the last row of an earlier owner."""
        self.given = dict(row.given)

    def wishes(self) -> dict[int, int]:
        """What other partitions want and nobody, as far as is known here, has given them yet."""
        me, heard = self.place.partition, self._rows.get(self.place.partition, {})
        wishes = {
            who: wanted - (self.given.get(who, 0) - heard.get(who, 0))
            for who, wanted in self._wants.items()
            if who != me
        }
        return {who: wanted for who, wanted in wishes.items() if wanted > 0}

    @abstractmethod
    def left(self, at: float) -> int:
        """How much may be spent now."""

    @abstractmethod
    def give(self, *, wanted: int, idle: bool, at: float) -> None:
        """Give to those that want it what is not needed here."""

    @abstractmethod
    def said(self, at: float) -> dict[str, Any]:
        """The fields of this partition's row, but for what it wants."""

    def outdated(self, said: Share, at: float) -> bool:
        """Whether a wish must be told again because of the time that passed."""
        del said, at
        return False
