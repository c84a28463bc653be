"""What comes in: a message may carry many records, a record many URIs; here each URI becomes its own."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from siftstream.schemas import DataUri
from siftstream.schemas.bulk import Unreadable, decode_many
from siftstream.streams.coalescing import records_of
from siftstream.streams.record import Record


class Share:
    """A message, and how many of the URIs that came in it are not done."""

    __slots__ = ("event", "left")

    def __init__(self, event: Any) -> None:
        """Args: Faust's event."""
        self.event, self.left = event, 0


class Arrival:
    """One URI that came in, or what stood in its place and could not be read."""

    __slots__ = ("_alone", "_record", "found", "token")

    def __init__(
        self, record: Record, found: DataUri | Unreadable, token: Any, *, alone: bool = True
    ) -> None:
        """Args: where it stood; what it is; what its acknowledgement needs; whether the record holds
        nothing else.
        """
        self._record, self.found, self.token, self._alone = record, found, token, alone

    @property
    def record(self) -> Record:
        """The record as if it had held nothing else."""
        if self._alone:
            return self._record
        if isinstance(self.found, Unreadable):
            return replace(self._record, value=self.found.value)
        return replace(self._record, key=self.found.key, value=self.found.encode())


def arrivals(event: Any) -> list[Arrival]:
    """Return what came in with a Faust event."""
    share = Share(event)
    came: list[Arrival] = []
    for record in records_of(event.message):
        found = decode_many(record.value)
        alone = len(found) == 1
        came += [Arrival(record, one, share, alone=alone) for one in found]
    share.left = len(came)
    return came


def acknowledging(ack: Callable[[Any], Coroutine[Any, Any, None]]) -> Any:
    """Return what takes the shares of samples that are done, and acknowledges each message with its last.

    Args:
        ack: Acknowledges one event.
    """

    async def done(shares: Sequence[Share]) -> None:
        for share in shares:
            share.left -= 1
            if not share.left:
                await ack(share.event)

    return done
