"""Watching: what appears in folders and under prefixes goes to `data-uris` as it comes, once each."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from threading import Event
from typing import Final

from siftstream.connectors.delivery import Delivery
from siftstream.connectors.sent import Sent
from siftstream.connectors.sources.arrivals import Arrived, FolderPlace, Place
from siftstream.connectors.sources.base import Entry, event_of, mark_of, shown
from siftstream.connectors.sources.folder import file_uri
from siftstream.connectors.sources.settled import state_of
from siftstream.schemas import DataUri
from siftstream.schemas.errors import LoadError, SchemaError, SiftError, UnavailableError
from siftstream.schemas.ids import sample_id_of

TICK_S: Final = 0.1
PATIENCE_S: Final = 5.0  # that a call waits for Kafka: signals are heard in between
PAUSE_S: Final = 1.0  # between two tries while Kafka is away
LATE_S: Final = 10.0  # without an acknowledgement: Kafka is away
TELL_EVERY_S: Final = 10.0
SLACK_S: Final = 2.0  # between a server's clock and ours


@dataclass(frozen=True)
class Rules:
    """What is sent, and how often is looked.

    `every` is in seconds, `poll` means by looking alone. `changed` gives a changed file an id of its own;
    `new_only` leaves out what was there before the first start.
    """

    every: float = 30.0
    poll: bool = False
    changed: bool = False
    new_only: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)


class _Stopped(Exception):
    """Somebody asked to stop, in the middle of a look."""


class Watch:
    """Watches places until it is told to stop."""

    def __init__(
        self,
        places: Sequence[Place],
        delivery: Delivery,
        sent: Sent,
        rules: Rules,
        stop: Event,
        tell: Callable[[str], None],
    ) -> None:
        """Args: where to look, the way to Kafka, the record, the rules, what ends it, who hears of it."""
        self._places, self._delivery, self._sent, self._rules = places, delivery, sent, rules
        self._folders = [place for place in places if isinstance(place, FolderPlace)]
        self._stop, self._tell = stop, tell
        self._said: set[str] = set()  # what is said once
        self._unseen: set[str] = set()  # places that cannot be looked at now
        self._away_since: int | None = None  # acknowledged events when Kafka went away
        self._told = (0, time.monotonic())
        self.sent = 0

    def run(self) -> None:
        """Send what is there and what comes, until `stop` is set.

        Raises:
            SiftError: a place cannot be looked at when it begins; ConfigError: Kafka lets us not write.
        """
        with suppress(_Stopped):
            if self._rules.new_only:
                self._leave_out_what_is_there()
            due, first = 0.0, True
            for paths in self._changes():
                self._look_at(paths)
                if time.monotonic() >= due:
                    self._look(first)
                    due, first = time.monotonic() + self._rules.every, False
                for place in self._places:
                    self._offer_all(place.settled())
                self._acknowledged()
                self._say_how_far()

    # --- what there is ------------------------------------------------------------------------

    def _changes(self) -> Iterator[set[str]]:
        """Yield the paths that something happened to, ten times a second, also when there are none."""
        if self._folders and not self._rules.poll:
            try:
                yield from self._system_tells()
            except OSError as error:
                self._say_once(
                    f"the system does not tell of changes ({error}); looking every {self._rules.every:g} s"
                )
        while not self._stop.is_set():
            yield set()
            self._stop.wait(TICK_S)

    def _system_tells(self) -> Iterator[set[str]]:
        from watchfiles import watch

        ticks = watch(
            *(folder.name for folder in self._folders),
            watch_filter=None, debounce=500, step=50, rust_timeout=int(TICK_S * 1000), stop_event=self._stop,
            yield_on_timeout=True, raise_interrupt=False, force_polling=False, ignore_permission_denied=True,
        )  # fmt: skip
        for changes in ticks:
            yield {path for _, path in changes}

    def _look_at(self, paths: Iterable[str]) -> None:
        """Look where something happened."""
        for path in paths:
            for place in self._folders:
                if path.startswith(place.name.rstrip("/") + "/"):
                    self._say_if_changed(path)
                    self._offer_all(place.told(path, self._is_fresh, self._bad))
        for place in self._folders:
            self._offer_all(place.look_again(self._is_fresh, self._bad))

    def _look(self, first: bool) -> None:
        """Look through everything."""
        for place in self._places:
            try:
                self._offer_all(place.look(self._is_fresh, self._bad))
            except (LoadError, UnavailableError) as error:
                if first and isinstance(error, LoadError):
                    raise
                if place.name not in self._unseen:
                    self._tell(f"{error}; looking again every {self._rules.every:g} s")
                self._unseen.add(place.name)
            else:
                if place.name in self._unseen:
                    self._tell(f"{place.name} can be looked at again")
                self._unseen.discard(place.name)
        if first:
            self._tell(f"watching: all that was there is seen, {self.sent:,} sent")

    def _leave_out_what_is_there(self) -> None:
        """Note what is there before the first start: each file as it is now, so that a changed one is new."""
        for place in self._places:
            seen = b"seen" + blake2b(place.name.encode(errors="surrogateescape"), digest_size=12).digest()
            if self._sent.known([seen]):
                continue
            for arrived in place.there(self._bad):
                self._stop_if_asked()
                self._sent.add(_left_out(arrived))
            self._sent.add(seen)
        self._sent.write()

    def _is_fresh(self, uri: str) -> bool:
        """Whether a file needs a closer look."""
        self._stop_if_asked()
        return self._rules.changed or not self._is_gone(mark_of(Entry(uri, metadata=self._rules.metadata)))

    def _stop_if_asked(self) -> None:
        if self._stop.is_set():
            raise _Stopped

    # --- what of it is sent -------------------------------------------------------------------

    def _offer_all(self, arrivals: Iterator[Arrived]) -> None:
        for arrived in arrivals:
            self._stop_if_asked()
            self._offer(arrived)

    def _offer(self, arrived: Arrived) -> None:
        """Send what was neither sent before nor is to be left out."""
        name = sample_id_of(f"{arrived.uri}#{arrived.version}") if self._rules.changed else ""
        entry = Entry(arrived.uri, name, metadata=self._rules.metadata)
        mark = mark_of(entry)
        if self._is_gone(mark):
            self._say_if_later(arrived.uri, mark, arrived.changed)
        elif not (self._rules.new_only and self._sent.known([_left_out(arrived)])):
            try:
                self._send(event_of(entry), mark)
            except SchemaError as error:
                self._say_once(f"{shown(entry.uri)}: {error}")

    def _is_gone(self, mark: bytes) -> bool:
        return mark in self._delivery or bool(self._sent.known([mark]))

    def _send(self, event: DataUri, mark: bytes) -> None:
        """Give one event to Kafka, however long Kafka is away."""
        self.sent += 1
        while True:
            self._stop_if_asked()
            try:
                self._delivery.send(event, mark)
            except UnavailableError as error:
                self._wait(error)
            else:
                self._acknowledged()
                return

    def _acknowledged(self) -> None:
        """Note what has arrived; what has failed is sent again."""
        try:
            self._delivery.drain()
        except UnavailableError as error:
            self._wait(error)
        if self._away_since is not None and self._delivery.acknowledged > self._away_since:
            self._away_since = None
            self._tell("Kafka takes events again")
        elif self._delivery.late > LATE_S:
            self._say_away(f"Kafka has acknowledged nothing for {LATE_S:g} s")

    def _wait(self, error: UnavailableError) -> None:
        self._say_away(str(error))
        self._stop.wait(PAUSE_S)
        with suppress(UnavailableError):
            self._delivery.again()

    # --- what is said of it -------------------------------------------------------------------

    def _say_away(self, words: str) -> None:
        if self._away_since is None:
            self._away_since = self._delivery.acknowledged
            self._tell(f"{words}; waiting for it, nothing is lost")

    def _say_how_far(self) -> None:
        count, moment = self._told
        if self._delivery.acknowledged != count and time.monotonic() - moment > TELL_EVERY_S:
            waiting = sum(map(len, self._folders))
            more = f", {waiting:,} files are not whole yet" if waiting else ""
            self._tell(f"{self._delivery.acknowledged:,} sent{more}")
            self._told = self._delivery.acknowledged, time.monotonic()

    def _say_if_changed(self, path: str) -> None:
        if not self._rules.changed and (state := state_of(path)):
            uri = file_uri(path)
            mark = mark_of(Entry(uri, metadata=self._rules.metadata))
            self._say_if_later(uri, mark, state.changed / 1e9)

    def _say_if_later(self, uri: str, mark: bytes, changed: float) -> None:
        at = self._sent.known([mark]).get(mark)
        if "changed" not in self._said and at is not None and changed > at + SLACK_S:
            self._said.add("changed")
            self._tell(
                f"{shown(uri)} has changed since it was sent, and is not sent again: a sample is named by its"
                " URI (--changed sends such files as new samples); this is said once"
            )

    def _bad(self, error: SiftError) -> None:
        self._say_once(str(error))

    def _say_once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            self._tell(sentence)


def _left_out(arrived: Arrived) -> bytes:
    """Return the mark under which the record holds what `new_only` leaves out."""
    return mark_of(Entry(arrived.uri, f"left out {arrived.version}"))
