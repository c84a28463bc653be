"""What one partition has given of its share of a budget to others, as the `budget` topic keeps it."""

from typing import ClassVar, NamedTuple

from pydantic import Field

from siftstream.schemas.events import Event


class Lent(NamedTuple):
    """Tokens of a rate that a partition gave away: its own, from number `first` to before `end`."""

    to: int
    first: int
    end: int


class Mark(NamedTuple):
    """Where a partition's tokens of a rate stood after a round: what its later choices are counted from."""

    round: int  # the last round that is in it
    next: int  # its own tokens below this number are spent, given or forgone
    taken: dict[int, int]  # of what it was lent, by giver: tokens below this number are spent


class Share(Event):
    """One partition's row of an account: all that it ever gave, and what it wants. Only its owner writes it.

    Rows are cumulative, so the newest one holds everything; an owner begins an epoch when it gets the
    partition, by a row of the account `epoch`, which makes void whatever an earlier owner writes after it.

    >>> Share(account="total", partition=1, epoch=3, given={0: 5}).key
    b'total/1/3'
    """

    topic: ClassVar[str] = "budget"

    account: str = Field(
        description="epoch (the row that begins one), total, outstanding, hour:AMOUNT:CLOCK,"
        " day:AMOUNT:CLOCK, class:NAME or metadata:KEY=VALUE."
    )
    partition: int = Field(ge=0)
    epoch: int = Field(ge=0)
    given: dict[int, int] = Field(default_factory=dict, description="How much to which partition, in all.")
    wants: int = Field(default=0, ge=0, description="How much it could use now of what others do not need.")
    at: float = Field(default=0.0, description="When it wants it, by the account's clock, seconds.")
    lent: tuple[Lent, ...] = Field(default=(), description="Of a rate: which tokens to which partition.")
    mark: Mark | None = Field(default=None, description="Of a rate: where the partition's own tokens stood.")

    @property
    def key(self) -> bytes:
        """Account, partition and epoch."""
        return f"{self.account}/{self.partition}/{self.epoch}".encode()
