"""Delivery: events on their way to Kafka, each with its mark until the broker has acknowledged it.

Many events may travel in one record, a JSON array: Kafka and fetch then pay for a record once. Those of an
array lie on the partition that each would have had alone, so an id always meets the same worker.
"""

import time
from collections import defaultdict, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from kafka import KafkaProducer
from kafka.errors import AuthorizationError, KafkaError, MessageSizeTooLargeError

from siftstream.connectors.sent import Sent
from siftstream.schemas import DataUri
from siftstream.schemas.errors import ConfigError, SchemaError, SiftError, UnavailableError
from siftstream.streams.partition import partitions_of_ids
from siftstream.streams.settings import KafkaSettings

TOGETHER: Final = 128  # events a record where many travel in one
TOGETHER_BYTES: Final = 256 << 10  # of a record of many
GATHERED: Final = 4096  # events that wait for others at most
GATHERED_S: Final = 0.1  # and for how long
IN_FLIGHT: Final = 20_000  # events sent and not acknowledged yet
ACKNOWLEDGED_WITHIN_S: Final = 60.0
CLOSED_WITHIN_S: Final = 5.0
RECONNECT_WITHIN_MS: Final = 5000  # of a broker that is back


class _Event(NamedTuple):
    sample_id: str
    value: bytes
    mark: bytes


@dataclass
class _Flight:
    """One record that is under way; without a future it waits to be sent again."""

    marks: list[bytes]
    key: bytes | None
    value: bytes
    partition: int | None  # none: the key places it
    since: float  # when it was given to us, in monotonic seconds
    future: Any = None

    @property
    def arrived(self) -> bool:
        """Whether the broker has acknowledged it."""
        return self.future is not None and self.future.is_done and not self.future.failed()

    @property
    def failed(self) -> bool:
        """Whether it did not arrive and is no longer under way."""
        return self.future is None or (self.future.is_done and self.future.failed())


class Delivery:
    """Sends events and notes in the record which ones were acknowledged.

    Events leave in order and are noted in order; one that failed stays at the head until `again()`.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        sent: Sent | None,
        *,
        patience: float = ACKNOWLEDGED_WITHIN_S,
        together: int = 1,
    ) -> None:
        """Connect.

        Args:
            kafka: The cluster.
            topic: The topic's name on it.
            sent: The record; none: nothing is noted.
            patience: Seconds that a call waits for the cluster at most.
            together: Events a record at most; more than 1 makes each record a JSON array.

        Raises:
            UnavailableError: the cluster does not answer.
        """
        self._kafka, self._topic, self._sent, self.patience = kafka, topic, sent, patience
        self._together = together
        self._gathered: list[_Event] = []  # not in a record yet,
        self._gathering_since = 0.0  # since this moment
        self._flights: deque[_Flight] = deque()
        self._marks: set[bytes] = set()
        self._under_way = 0  # events gathered or in a record; two may have one mark
        self.acknowledged = 0
        self._producer: Any = self._connected()

    def __contains__(self, mark: bytes) -> bool:
        return mark in self._marks

    def __len__(self) -> int:
        """How many events are under way."""
        return self._under_way

    @property
    def late(self) -> float:
        """For how many seconds the oldest has been under way."""
        return time.monotonic() - self._flights[0].since if self._flights else 0.0

    def send(self, event: DataUri, mark: bytes) -> None:
        """Put an event under way; waits while too many are.

        Raises:
            SchemaError: the event is larger than Kafka takes; UnavailableError: this event was not sent.
        """
        if self._under_way >= IN_FLIGHT:
            self.drain(self.patience)
        value = event.encode()
        if self._together == 1 or len(value) > TOGETHER_BYTES:
            self._depart(_Flight([mark], event.key, value, None, time.monotonic()))
        else:
            self._gathering_since = self._gathering_since if self._gathered else time.monotonic()
            self._gathered.append(_Event(event.sample_id, value, mark))
        self._marks.add(mark)
        self._under_way += 1
        if len(self._gathered) >= GATHERED:
            self._post()

    def _post(self) -> None:
        """Put what was gathered under way, in records of many; what cannot leave waits to be sent again."""
        partitions = self._partitions()
        gathered, self._gathered = self._gathered, []
        groups: dict[int, list[_Event]] = defaultdict(list)
        for event, partition in zip(
            gathered, partitions_of_ids([event.sample_id for event in gathered], partitions), strict=True
        ):
            groups[partition].append(event)
        flights = [
            _Flight([event.mark for event in part], None, _array(part), partition, self._gathering_since)
            for partition, events in groups.items()
            for part in _records(events, self._together)
        ]
        self._flights += flights
        for flight in flights:
            self._hand_over(flight)

    def _partitions(self) -> int:
        if self._producer is None:
            raise UnavailableError(f"Kafka at {self._kafka.bootstrap_servers} does not take events")
        try:
            return len(self._producer.partitions_for(self._topic))
        except KafkaError as error:
            raise self._ours(error) from error

    def drain(self, patience: float = 0.0) -> None:
        """Note what was acknowledged, in order, as far as it goes; with patience, at least one.

        Raises:
            UnavailableError: the first one failed, or was not acknowledged in time; it stays.
        """
        if self._gathered and (patience or time.monotonic() - self._gathering_since > GATHERED_S):
            self._post()
        while self._flights:
            flight = self._flights[0]
            if flight.future is None:
                raise UnavailableError(f"Kafka at {self._kafka.bootstrap_servers} does not take events")
            if not patience and not flight.future.is_done:
                break
            try:
                flight.future.get(timeout=patience)
            except KafkaError as error:
                raise self._ours(error) from error
            self._flights.popleft()
            self._note(flight)
            patience = 0.0
        if self._sent is not None:
            self._sent.write_if_due()

    def again(self) -> None:
        """Send what has failed once more, by a new producer: an old one may have failed for good.

        Raises:
            UnavailableError: the cluster is still away.
        """
        if not any(flight.failed for flight in self._flights):
            return
        if self._producer is not None:
            self._let_go(0.0)
        for flight in self._flights:
            if flight.failed:
                flight.future = None
        self._producer = self._connected()
        for flight in self._flights:
            if flight.future is None:
                self._hand_over(flight)

    def close(self) -> None:
        """Give what is under way a moment, note what was acknowledged in any order, and disconnect."""
        if self._producer is not None:
            with suppress(SiftError):  # what is not sent is not noted, and sent the next time
                if self._gathered:
                    self._post()
            self._let_go(CLOSED_WITHIN_S)
        for flight in self._flights:
            if flight.arrived:
                self._note(flight)
        self._flights.clear()
        if self._sent is not None:
            self._sent.write()

    def _connected(self) -> Any:
        try:
            return KafkaProducer(
                acks="all", linger_ms=20, batch_size=256 << 10, max_block_ms=int(self.patience * 1000),
                reconnect_backoff_max_ms=RECONNECT_WITHIN_MS, **self._kafka.client_options(),
            )  # fmt: skip
        except KafkaError as error:
            raise self._ours(error) from error

    def _let_go(self, within: float) -> None:
        """Close the producer; what it has not delivered by then has failed."""
        producer, self._producer = self._producer, None
        try:
            producer.close(timeout=within)
        except KafkaError:
            # it gives up before it has told its thread to end: without this the thread would try for ever
            producer._sender.force_close()
            producer._sender.join(CLOSED_WITHIN_S)
            with suppress(KafkaError):
                producer.close(timeout=0)

    def _depart(self, flight: _Flight) -> None:
        self._hand_over(flight)
        self._flights.append(flight)

    def _hand_over(self, flight: _Flight) -> None:
        if self._producer is None:
            raise UnavailableError(f"Kafka at {self._kafka.bootstrap_servers} does not take events")
        try:
            flight.future = self._producer.send(
                self._topic, flight.value, key=flight.key, partition=flight.partition
            )
        except MessageSizeTooLargeError:
            raise SchemaError(f"an event of {len(flight.value):,} bytes is larger than Kafka takes") from None
        except KafkaError as error:
            raise self._ours(error) from error

    def _note(self, flight: _Flight) -> None:
        self.acknowledged += len(flight.marks)
        self._under_way -= len(flight.marks)
        self._marks.difference_update(flight.marks)
        if self._sent is not None:
            for mark in flight.marks:
                self._sent.add(mark)

    def _ours(self, error: KafkaError) -> SiftError:
        if isinstance(error, AuthorizationError):
            return ConfigError(
                f"Kafka at {self._kafka.bootstrap_servers} lets us not write to {self._topic}: {error};"
                " see the user's rights"
            )
        return UnavailableError(f"Kafka at {self._kafka.bootstrap_servers} does not take events: {error}")


def _array(events: Sequence[_Event]) -> bytes:
    """Return the value of a record of many."""
    return b"[" + b",".join(event.value for event in events) + b"]"


def _records(events: Sequence[_Event], most: int) -> list[list[_Event]]:
    """Cut the events of a partition into records."""
    cut: list[list[_Event]] = []
    size = 0
    for event in events:
        if not cut or len(cut[-1]) == most or size + len(event.value) > TOGETHER_BYTES:
            cut.append([])
            size = 0
        cut[-1].append(event)
        size += len(event.value)
    return cut
