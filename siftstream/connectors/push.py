"""Pushing: files, folders and URIs become `DataUri` events on the `data-uris` topic."""

import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from siftstream.schemas import DataUri
from siftstream.schemas.errors import LoadError, SchemaError, UnavailableError
from siftstream.streams.settings import KafkaSettings, PipelineSettings

IN_FLIGHT = 20_000  # events sent and not acknowledged yet
ACKNOWLEDGED_WITHIN_S = 60.0
TELL_EVERY_S = 0.1
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # two letters at least: `C:` is a drive


@dataclass(frozen=True)
class Pushed:
    """How far a push has come."""

    sent: int
    acknowledged: int
    seconds: float

    @property
    def rate(self) -> float:
        """Acknowledged events a second."""
        return self.acknowledged / self.seconds if self.seconds else 0.0


def iter_uris(sources: Iterable[str], lines: Iterable[str] = ()) -> Iterator[str]:
    """Yield a URI for each file of each source.

    Args:
        sources: URIs, files, folders (all files below, hidden ones left out, in order of their names),
            or `-` for `lines`.
        lines: A list of URIs, files or folders, one a line; empty lines and `# comments` are left out.

    Raises:
        LoadError: no such file or folder.

    >>> list(iter_uris(["s3://cats/1.png", "-"], ["https://example.org/2.png", "", "# more"]))
    ['s3://cats/1.png', 'https://example.org/2.png']
    """
    for source in sources:
        if source == "-":
            for number, line in enumerate(lines, start=1):
                entry = line.strip()
                if entry and not entry.startswith("# "):
                    yield from _uris_of(entry, f"line {number}: ")
        else:
            yield from _uris_of(source, "")


def _uris_of(source: str, where: str) -> Iterator[str]:
    if _SCHEME.match(source):
        yield source
        return
    path = Path(source).expanduser()
    if path.is_dir():
        yield from (file.as_uri() for file in files_in(path.absolute()))
    elif path.exists():
        yield path.absolute().as_uri()
    else:
        raise LoadError(
            f"{where}{source}: no such file or folder, and no URI (a URI has a scheme, as in s3://...)"
        )


def files_in(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder by name, hidden files and folders left out."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(root, name)
            if not name.startswith(".") and path.is_file():
                yield path


def push(
    uris: Iterable[str],
    kafka: KafkaSettings,
    pipeline: PipelineSettings,
    *,
    rate: float | None = None,
    metadata: Mapping[str, str] | Callable[[str], Mapping[str, str]] | None = None,
    told: Callable[[Pushed], None] = lambda pushed: None,
) -> Pushed:
    """Write an event for each URI, keyed by its sample id; return when all are acknowledged.

    Args:
        uris: What to push; read only as fast as Kafka takes it.
        kafka: The cluster.
        pipeline: Its names.
        rate: Events a second at most; none: as fast as it goes.
        metadata: Goes with every event, or a function of the URI.
        told: Hears about ten times a second how far it is.

    Raises:
        UnavailableError: the cluster does not answer, or did not acknowledge all (the message says how many).
        SchemaError: a URI that is none.
    """
    began = time.monotonic()
    tell = _Teller(told, began)
    pending: deque[Any] = deque()
    sent = acknowledged = 0
    try:
        producer = KafkaProducer(acks="all", linger_ms=20, batch_size=256 << 10, **kafka.client_options())
    except KafkaError as error:
        raise UnavailableError(
            f"Kafka at {kafka.bootstrap_servers} does not answer: {error}; is it up?"
        ) from error
    try:
        for uri in uris:
            if rate is not None:
                time.sleep(max(0.0, began + sent / rate - time.monotonic()))
            event = _event(uri, metadata)
            pending.append(producer.send(pipeline.topic(DataUri.topic), event.encode(), key=event.key))
            sent += 1
            while pending and (pending[0].is_done or len(pending) > IN_FLIGHT):
                pending.popleft().get(timeout=ACKNOWLEDGED_WITHIN_S)
                acknowledged += 1
            tell(sent, acknowledged)
        while pending:
            pending.popleft().get(timeout=ACKNOWLEDGED_WITHIN_S)
            acknowledged += 1
            tell(sent, acknowledged)
    except KafkaError as error:
        raise UnavailableError(
            f"Kafka acknowledged {acknowledged} of {sent} events, then: {error}; push again when it is up"
            " (a sample that was pushed before counts once)"
        ) from error
    finally:
        producer.close(timeout=5)
    return tell(sent, acknowledged, now=True)


class _Teller:
    """Tells how far it is, not too often."""

    def __init__(self, told: Callable[[Pushed], None], began: float) -> None:
        self._told, self._began, self._last = told, began, 0.0

    def __call__(self, sent: int, acknowledged: int, *, now: bool = False) -> Pushed:
        moment = time.monotonic()
        pushed = Pushed(sent, acknowledged, moment - self._began)
        if now or moment - self._last >= TELL_EVERY_S:
            self._last = moment
            self._told(pushed)
        return pushed


def _event(uri: str, metadata: Mapping[str, str] | Callable[[str], Mapping[str, str]] | None) -> DataUri:
    notes = metadata(uri) if callable(metadata) else metadata
    try:
        return DataUri(uri=uri, metadata=dict(notes or {}))
    except ValueError as error:
        raise SchemaError(f"{uri[:200]!r} is no URI that can be pushed: {error}") from error


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
