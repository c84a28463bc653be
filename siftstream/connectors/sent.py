"""The record of what Kafka has acknowledged: a set of marks on disk that `push` and `watch` share.

It is a set, not a place in a list: sources grow at any place, and files appear under earlier names. It is
exact, costs about 30 bytes an entry, and may be deleted: then everything is pushed again, and falls away
downstream by its sample id. A record belongs to one topic of one cluster, by the topic's own id: a topic that
was deleted and made again has nothing in it.
"""

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from siftstream.schemas.errors import ConfigError, UnavailableError
from siftstream.streams.settings import KafkaSettings

WRITE_EVERY_S: Final = 1.0
# Rows a statement: each one gives the interpreter's lock away, and a busy producer is slow to give it back.
LOT: Final = 256
UNWRITTEN: Final = 50_000  # acknowledged marks that memory holds at most
_OPEN: Final = (
    "PRAGMA journal_mode = wal",
    # a power cut may take the last seconds, which are then sent twice; a killed process loses nothing written
    "PRAGMA synchronous = normal",
    "PRAGMA cache_size = -16000",  # KiB
    "PRAGMA wal_autocheckpoint = 4000",  # pages
    "CREATE TABLE IF NOT EXISTS sent (mark BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID",
)


class Sent:
    """The marks of all acknowledged entries, each with the second in which it was acknowledged.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Sent(Path(folder, "x.sqlite3")) as sent:
    ...     sent.add(b"a")
    ...     list(sent.known([b"a", b"b"]))
    [b'a']
    """

    def __init__(self, file: Path) -> None:
        """Open or begin the record.

        Raises:
            ConfigError: the folder or the file cannot be written, or the file is no record.
        """
        self.file = file
        self._unwritten: dict[bytes, int] = {}
        self._written = time.monotonic()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(file, timeout=30.0, isolation_level=None)
            try:
                for statement in _OPEN:
                    self._db.execute(statement)
            except BaseException:
                self._db.close()
                raise
        except (OSError, sqlite3.Error) as error:
            raise self._trouble(error) from error

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is not written, and close."""
        try:
            self.write()
        finally:
            self._db.close()

    def known(self, marks: Sequence[bytes]) -> dict[bytes, int]:
        """Return which of up to `LOT` entries were acknowledged, and when, in seconds since the epoch."""
        query = f"SELECT mark, at FROM sent WHERE mark IN ({','.join('?' * len(marks))})"
        try:
            found: dict[bytes, int] = dict(self._db.execute(query, marks).fetchall())
        except sqlite3.Error as error:
            raise self._trouble(error) from error
        unwritten = self._unwritten
        return found | {mark: unwritten[mark] for mark in marks if mark in unwritten}

    def add(self, mark: bytes) -> None:
        """Note that an entry was acknowledged now; it is on disk within `WRITE_EVERY_S` of the next call."""
        self._unwritten[mark] = int(time.time())
        if len(self._unwritten) >= UNWRITTEN:
            self.write()

    def write_if_due(self) -> None:
        """Write what was acknowledged, if that is a while ago."""
        if self._unwritten and time.monotonic() - self._written >= WRITE_EVERY_S:
            self.write()

    def write(self) -> None:
        """Write what was acknowledged, all or nothing.

        Raises:
            ConfigError: the disk is full, or the file cannot be written.
        """
        if self._unwritten:
            try:
                with self._db:
                    self._db.execute("BEGIN IMMEDIATE")
                    self._insert(sorted(self._unwritten.items()))
            except sqlite3.Error as error:
                raise self._trouble(error) from error
            self._unwritten = {}
        self._written = time.monotonic()

    def _insert(self, rows: Sequence[tuple[bytes, int]]) -> None:
        for start in range(0, len(rows), LOT):
            lot = rows[start : start + LOT]
            values = ",".join(["(?,?)"] * len(lot))
            self._db.execute(
                f"INSERT INTO sent VALUES {values} ON CONFLICT DO UPDATE SET at = excluded.at",
                [value for row in lot for value in row],
            )

    def _trouble(self, error: Exception) -> ConfigError:
        return ConfigError(
            f"{self.file}, the record of what was pushed, cannot be used: {error};"
            " see that its disk has room and may be written, or delete it (then all is pushed again)"
        )


def record_file(state: Path, kafka: KafkaSettings, topic: str) -> Path:
    """Return where the record of a topic lies in the state folder.

    Args:
        state: The folder.
        kafka: The cluster.
        topic: The topic's name on it; the topic must be there.

    Raises:
        UnavailableError: the cluster does not answer.
    """
    try:
        admin = KafkaAdminClient(**kafka.client_options())
        try:
            described: dict[str, Any] = admin.describe_topics([topic])[0]
            own = str(described.get("topic_id") or "")
            if not own.strip("0-"):  # a broker older than 2.8, which gives topics no id
                own = str(admin.describe_cluster().get("cluster_id"))
        finally:
            admin.close()
    except KafkaError as error:
        raise UnavailableError(
            f"Kafka at {kafka.bootstrap_servers} does not tell of {topic}: {error}; is it up?"
        ) from error
    return state / "push" / f"{topic}-{own}.sqlite3"
