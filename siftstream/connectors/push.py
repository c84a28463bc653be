"""Pushing: what sources hold becomes `DataUri` events on the `data-uris` topic, once each."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from siftstream.connectors.delivery import Delivery
from siftstream.connectors.sent import LOT, Sent
from siftstream.connectors.sources.base import NOTHING, Bad, Entry, Source, event_of, mark_of, refuse, shown
from siftstream.schemas import DataUri
from siftstream.schemas.errors import SchemaError, SiftError, UnavailableError
from siftstream.streams.settings import KafkaSettings, PipelineSettings

Marked = tuple[Entry, bytes]
TELL_EVERY_S = 0.1
REST_S = 0.5  # longest sleep of a slow push between two looks at what was acknowledged


@dataclass(frozen=True)
class Pushed:
    """How far a push has come.

    `known` counts entries that an earlier push had acknowledged, the last of them at `known_at` (seconds
    since the epoch); they were not sent.
    """

    sent: int
    acknowledged: int
    seconds: float
    known: int = 0
    known_at: int = 0

    @property
    def rate(self) -> float:
        """Acknowledged events a second."""
        return self.acknowledged / self.seconds if self.seconds else 0.0

    @property
    def done(self) -> int:
        """Entries that are in the topic, from now or before."""
        return self.known + self.acknowledged


def push(
    entries: Iterable[str | Entry],
    kafka: KafkaSettings,
    pipeline: PipelineSettings,
    *,
    rate: float | None = None,
    metadata: Mapping[str, str] = NOTHING,
    told: Callable[[Pushed], None] = lambda pushed: None,
    sent: Sent | None = None,
    restart: bool = False,
    lot: int = LOT,
    together: int = 1,
    bad: Bad = refuse,
) -> Pushed:
    """Write an event for each entry, placed by its sample id; return when all are acknowledged.

    However it ends, what was acknowledged is in the record; only a killed process may have sent up to a
    second's worth that is not.

    Args:
        entries: What to push, URIs among it; read only as fast as Kafka takes it.
        kafka: The cluster.
        pipeline: Its names.
        rate: Events a second at most; none: as fast as it goes.
        metadata: Goes with every event; an entry's own wins.
        told: Hears about ten times a second how far it is.
        sent: The record of what was acknowledged before and will be now; none: all is sent.
        restart: Send also what was acknowledged before.
        lot: How many entries are looked up in the record at once, 1 to 256: before one is sent so many are
            waited for.
        together: Events a record at most; 1: each in a record of its own, with its id as the key, and at
            once. More is cheaper for Kafka and fetch, and for entries that come as fast as they are taken.
        bad: Hears of each entry that makes no event; raises to stop there.

    Raises:
        UnavailableError: the cluster does not answer, or did not acknowledge all (the message says how many).
        SchemaError: an entry that makes no event, unless `bad` goes on.
    """
    run = _Run(Delivery(kafka, pipeline.topic(DataUri.topic), sent, together=together), told)
    try:
        for entry, mark in run.new(marked(entries, metadata), None if restart else sent, lot):
            run.wait_for_turn(rate)
            try:
                run.send(event_of(entry), mark)
            except SchemaError as error:
                bad(SchemaError(f"{entry.where}{shown(entry.uri)}: {error}"))
        run.finish()
    except UnavailableError as error:
        raise UnavailableError(
            f"{error}; {run.delivery.acknowledged:,} of {run.sent:,} events were acknowledged:"
            " push again when Kafka is up, it goes on from there"
        ) from error
    finally:
        run.delivery.close()
        pushed = run.tell(now=True)
    return pushed


def marked(entries: Iterable[str | Entry], metadata: Mapping[str, str]) -> Iterator[Marked]:
    """Yield each entry, the common metadata with it, and its mark."""
    for found in entries:
        entry = Entry(found) if isinstance(found, str) else found
        if metadata:
            entry = entry._replace(metadata={**metadata, **entry.metadata})
        yield entry, mark_of(entry)


def lots(marked: Iterator[Marked], size: int) -> Iterator[list[Marked]]:
    """Yield entries in lots; where a bad line ends them, what came before it first."""
    together: list[Marked] = []
    try:
        for one in marked:
            together.append(one)
            if len(together) == size:
                yield together
                together = []
    except SiftError:
        if together:
            yield together
        raise
    if together:
        yield together


class _Run:
    """One push: counts, tells not too often, and keeps to the rate."""

    def __init__(self, delivery: Delivery, told: Callable[[Pushed], None]) -> None:
        self.delivery, self._told = delivery, told
        self._began, self._last = time.monotonic(), 0.0
        self.sent = self._known = self._known_at = 0

    def new(self, marked: Iterator[Marked], sent: Sent | None, lot: int) -> Iterator[Marked]:
        """Yield what is neither in the topic nor on its way there."""
        if sent is None:
            yield from marked
            return
        for together in lots(marked, lot):
            known = sent.known([mark for _, mark in together])
            for entry, mark in together:
                if mark not in known and mark not in self.delivery:
                    yield entry, mark
                    continue
                self._known += 1
                self._known_at = max(self._known_at, known.get(mark, 0))
            self.tell()

    def wait_for_turn(self, rate: float | None) -> None:
        while rate is not None and (wait := self._began + self.sent / rate - time.monotonic()) > 0:
            time.sleep(min(wait, REST_S))
            self._look()

    def send(self, event: DataUri, mark: bytes) -> None:
        self.delivery.send(event, mark)
        self.sent += 1
        self._look()

    def finish(self) -> None:
        while self.delivery:
            self.delivery.drain(self.delivery.patience)
            self.tell()

    def _look(self) -> None:
        self.delivery.drain()
        self.tell()

    def tell(self, *, now: bool = False) -> Pushed:
        moment = time.monotonic()
        seconds = moment - self._began
        pushed = Pushed(self.sent, self.delivery.acknowledged, seconds, self._known, self._known_at)
        if now or moment - self._last >= TELL_EVERY_S:
            self._last = moment
            self._told(pushed)
        return pushed


def total_of(sources: Sequence[Source], within: float) -> int | None:
    """Return how many samples sources hold; none where that cannot be known before, or not in `within` s."""
    end = time.monotonic() + within
    total = 0
    for source in sources:
        tally = source.tally()
        if tally is None:
            return None
        for _ in tally:
            total += 1
            if not total % 1000 and time.monotonic() > end:
                return None
    return total


def pairs(values: Sequence[str]) -> dict[str, str]:
    """Read `key=value` words.

    >>> pairs(["camera=3", "site=a=b"])
    {'camera': '3', 'site': 'a=b'}

    Raises:
        SchemaError: a word without `=`.
    """
    for value in values:
        if "=" not in value or value.startswith("="):
            raise SchemaError(f"metadata {value!r}: write key=value")
    return dict(value.split("=", 1) for value in values)
