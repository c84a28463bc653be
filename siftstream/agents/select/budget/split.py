"""How a limit is split over the partitions: whole numbers that sum to it, the remainder falling evenly."""

from typing import NamedTuple
from zlib import crc32


class Place(NamedTuple):
    """One partition of so many."""

    partition: int
    partitions: int

    def turned(self, account: str) -> int:
        """The partition's number in an account's own order, so that remainders of accounts fall apart.

        >>> sorted(Place(p, 3).turned("total") for p in range(3))
        [0, 1, 2]
        """
        return (self.partition + crc32(account.encode())) % self.partitions

    def share(self, account: str, limit: int) -> int:
        """Return the partition's share of a limit.

        >>> [Place(p, 4).share("total", 10) for p in range(4)]
        [2, 2, 3, 3]
        """
        whole, rest = divmod(limit, self.partitions)
        return whole + (self.turned(account) < rest)


def poured(amount: int, wants: dict[int, int]) -> dict[int, int]:
    """Share an amount out evenly, to nobody more than they want.

    >>> poured(10, {1: 2, 5: 9, 7: 20})
    {1: 2, 5: 4, 7: 4}
    """
    shares: dict[int, int] = {}
    for after, (who, wanted) in enumerate(sorted(wants.items(), key=lambda item: (item[1], item[0]))):
        part = min(wanted, amount // (len(wants) - after))
        amount -= part
        if part:
            shares[who] = part
    return shares
