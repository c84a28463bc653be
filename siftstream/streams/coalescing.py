"""Coalescing: many small records of a partition travel through Faust as one message.

Faust costs about 75 microseconds a message whatever its size, aiokafka a tenth of that. On topics of one
small event a record the consumer hands out bunches instead: a message at the last record's place that
carries them all. The ledger knows only that place, so a bunch is committed whole or read again whole.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP

from siftstream.streams.record import Record

MOST: Final = 128  # records in a bunch
MOST_BYTES: Final = 32 << 10  # of values, after which a bunch ends: records of many URIs need no company


class Bunch(NamedTuple):
    """Consecutive records of one partition, as aiokafka gave them."""

    records: list[Any]


class Coalescing(DefaultSchedulingStrategy):
    """Faust's round robin over topics and partitions, with bunches on the topics named.

    >>> class Small: value = b"uri"
    >>> found = {TP("data-uris", 0): [Small()] * 300}
    >>> [len(bunch.records) for _, bunch in Coalescing({"data-uris"}).iterate(found)]
    [128, 128, 44]
    """

    def __init__(self, topics: Collection[str]) -> None:
        """Args: the topics' names on the cluster."""
        self._topics = topics

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        """Yield each record, or bunch of records, with its partition."""
        return super().iterate(
            {tp: bunches(found) if tp.topic in self._topics else found for tp, found in records.items()}
        )


def bunches(records: Sequence[Any]) -> list[Any]:
    """Cut records into bunches.

    >>> class Big: value = bytes(20_000)
    >>> [len(bunch.records) for bunch in bunches([Big(), Big(), Big()])]
    [2, 1]
    """
    cut: list[Any] = []
    together: list[Any] = []
    size = 0
    for record in records:
        together.append(record)
        size += len(record.value or b"")
        if len(together) == MOST or size >= MOST_BYTES:
            cut.append(Bunch(together))
            together, size = [], 0
    if together:
        cut.append(Bunch(together))
    return cut


def records_of(message: Any) -> list[Record]:
    """Return the records of a Faust message: those that it carries, else the one that it is."""
    carried = getattr(message, "records", None)
    if carried is None:
        return [Record.of_message(message)]
    return [Record.of_consumer(record) for record in carried]
