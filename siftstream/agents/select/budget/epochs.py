"""Who may speak for a partition: epochs make void what an earlier owner still writes to the `budget` log.

An owner begins by one row of the account `epoch`, a fence. Every reader passes it at the same place of the
log: rows of lower epochs count before it and not after. So a gift that anybody may have heard stays, and one
that comes later reaches nobody. The fence has a key of its own that is never written again, so compaction
does not move it, as it would move the first row of an account. An owner may spend when it has read its own
fence, for then it has read all that counts. Two owners that never heard of each other must not begin the same
epoch: its lower bits are the owner's own number; should two fences still be equal, neither holds.
"""

from typing import Final

from siftstream.schemas.shares import Share

FENCE: Final = "epoch"
_OWNERS: Final = 1 << 20


class Epochs:
    """The highest epoch of each partition, and whether this owner's is in force.

    >>> epochs = Epochs(0, owner=7)
    >>> fence = epochs.begin()
    >>> epochs.hear(fence), epochs.begun
    (True, True)
    >>> epochs.hear(Share(account="epoch", partition=0, epoch=fence.epoch + 1)), epochs.begun, epochs.fenced
    (True, False, True)
    """

    def __init__(self, partition: int, owner: int = 0) -> None:
        self._partition = partition
        self._owner = owner
        self._highest: dict[int, int] = {}
        self.mine = -1
        self._fences = 0  # of my epoch, that were heard
        self._old: dict[str, set[int]] = {}  # by account: epochs of this partition's earlier rows
        self._told: set[str] = set()  # accounts of which a row of my epoch was heard

    def hear(self, row: Share) -> bool:
        """Learn a row; return whether it counts."""
        if row.partition == self._partition:
            self._remember(row)
        if row.epoch < self._highest.get(row.partition, -1):
            return False
        self._highest[row.partition] = row.epoch
        return True

    def _remember(self, row: Share) -> None:
        if row.epoch != self.mine:
            self._old.setdefault(row.account, set()).add(row.epoch)
        elif row.account == FENCE:
            self._fences += 1
        else:
            self._told.add(row.account)

    def begin(self) -> Share:
        """Return the fence of a new epoch, above all that were heard."""
        era = self._highest.get(self._partition, -1) // _OWNERS + 1
        self.mine = era * _OWNERS + self._owner % _OWNERS
        return Share(account=FENCE, partition=self._partition, epoch=self.mine)

    @property
    def begun(self) -> bool:
        """Whether my epoch is in force: its fence was read, alone, and none above it."""
        return self._fences == 1 and self._highest[self._partition] == self.mine

    @property
    def fenced(self) -> bool:
        """Whether somebody else owns the partition by now: this owner's state is void."""
        return self._fences > 1 or 0 <= self.mine < self._highest.get(self._partition, -1)

    def unsettled(self) -> set[str]:
        """Accounts of which an earlier owner wrote rows, and my epoch has none in the log yet."""
        return self._old.keys() - self._told - {FENCE}

    def stale(self) -> list[bytes]:
        """Keys of earlier epochs that nobody needs any more, once each; fences after the rows they void."""
        if not self.begun:
            return []
        accounts = [account for account in self._old if account in self._told]
        if not self.unsettled() and FENCE in self._old:
            accounts.append(FENCE)
        return [
            f"{account}/{self._partition}/{epoch}".encode()
            for account in accounts
            for epoch in sorted(self._old.pop(account))
            if epoch < self.mine
        ]
