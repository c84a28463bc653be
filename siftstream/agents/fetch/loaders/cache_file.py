"""The one file behind the cache: SQLite, set up so that damage in it is an error and never ends the process.

There is no write-ahead log: its index is mapped memory, where a fault is a signal. Nothing is ever synced:
what a power cut leaves is told by the checksums, or is damage that SQLite finds.
"""

import sqlite3
from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

PAGE: Final = 8192  # bytes
PATIENCE_S: Final = 5.0  # for another process's write
SPARE: Final = 4  # pages an entry may need beside its data
SCHEMA: Final = (
    "CREATE TABLE entries(key BLOB PRIMARY KEY, used INTEGER, object INTEGER, size INTEGER,"
    " validator BLOB, stored REAL, sum BLOB, seal BLOB) WITHOUT ROWID",
    "CREATE INDEX by_use ON entries(used)",
    "CREATE TABLE objects(id INTEGER PRIMARY KEY, data BLOB)",
)
SETTINGS: Final = (
    f"PRAGMA page_size = {PAGE}",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA mmap_size = 0",
    "PRAGMA synchronous = OFF",
    "PRAGMA secure_delete = OFF",  # some builds overwrite what is deleted, which doubles the writes
    "PRAGMA temp_store = MEMORY",
)


class Damaged(Exception):
    """The file is not what this module wrote."""


class Entry(NamedTuple):
    """One row as it is on disk, checked by nobody yet; `data` None: missing, or not asked for."""

    validator: bytes
    stored: float
    sum: bytes
    seal: bytes
    data: bytes | None


class CacheFile:
    """Entries by key in the order of their last use; one call at a time.

    Any method may raise sqlite3.Error or Damaged.
    """

    def __init__(self, path: Path, limit: int, largest: int) -> None:
        """Open the file, or make it; `limit` is its largest size in bytes, `largest` that of an object."""
        self.most = limit // PAGE
        self._db = sqlite3.connect(path, PATIENCE_S, isolation_level=None, check_same_thread=False)
        try:
            self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, min(largest + (1 << 16), (1 << 31) - 1))
            for setting in SETTINGS:
                self._db.execute(setting).fetchall()
            if self._one("PRAGMA journal_mode = TRUNCATE") != "truncate":
                raise Damaged("another journal mode")
            self._check_schema()
            if self._one("PRAGMA page_count") > self.most:
                raise Damaged("larger than fetch.cache.max_bytes")
            self._one(f"PRAGMA max_page_count = {self.most}")
            found = path.lstat()
        except BaseException:
            self._db.close()
            raise
        self._place = (found.st_dev, found.st_ino)

    def is_at(self, path: Path) -> bool:
        """Tell whether `path` still names the file that is open."""
        try:
            found = path.lstat()
        except FileNotFoundError:
            return False
        return (found.st_dev, found.st_ino) == self._place

    def find(self, key: bytes, *, with_data: bool = True) -> Entry | None:
        """Return the entry."""
        row = self._db.execute(
            f"SELECT validator, stored, sum, seal, {'data' if with_data else 'NULL'}"
            " FROM entries LEFT JOIN objects ON id = object WHERE key = ?",
            (key,),
        ).fetchone()
        if row is None:
            return None
        entry = Entry(*row)
        *head, data = entry
        kinds = [bytes, float, bytes, bytes]
        if [type(value) for value in head] != kinds or not isinstance(data, bytes | None):
            raise Damaged("a value of another type")
        return entry

    def insert(self, key: bytes, entry: Entry) -> None:
        """Put the entry in, as the one used last; others go as far as its data need room."""
        data = entry.data or b""
        for _ in range(3):  # another process may take the room that was made
            if not self._make_room(len(data)):
                return
            with self._transaction():
                if self._missing(len(data)) > 0:
                    continue
                self._delete(key)
                row = self._db.execute("INSERT INTO objects(data) VALUES (?)", (data,)).lastrowid
                self._db.execute(
                    "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (key, self._last() + 1, row, len(data), *entry[:4]),
                )
                return

    def reseal(self, key: bytes, entry: Entry) -> None:
        """Write the time and the seal of an entry, which counts as a use."""
        with self._transaction():
            self._db.execute(
                "UPDATE entries SET stored = ?, seal = ?, used = ? WHERE key = ?",
                (entry.stored, entry.seal, self._last() + 1, key),
            )

    def touch(self, keys: Collection[bytes]) -> None:
        """Note that these were used, the last one last."""
        if not keys:
            return
        with self._transaction():
            rows = enumerate(keys, self._last() + 1)
            self._db.executemany("UPDATE entries SET used = ? WHERE key = ?", rows)

    def drop(self, key: bytes) -> None:
        """Take the entry out, if there is one."""
        with self._transaction():
            self._delete(key)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _check_schema(self) -> None:
        if not self._schema():
            with self._transaction():
                if not self._schema():  # another process may have been quicker
                    for statement in SCHEMA:
                        self._db.execute(statement)
        if self._schema() != set(SCHEMA):
            raise Damaged("not a cache of this version")

    def _schema(self) -> set[Any]:
        rows = self._db.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchmany(10)
        return {sql for (sql,) in rows}

    def _missing(self, size: int) -> int:
        """Return how many pages must become free before `size` bytes fit."""
        used = self._one("PRAGMA page_count") - self._one("PRAGMA freelist_count")
        return used + SPARE - (-size // (PAGE - 4)) - self.most

    def _make_room(self, size: int) -> bool:
        """Take out the least recently used until the bytes fit; in a transaction of its own.

        Pages that are freed and used again in one transaction would be written to the journal first.
        """
        if self._missing(size) <= 0:
            return True
        spare = self.most // 64 * PAGE  # a little more, so that not every object makes room for itself
        with self._transaction():
            while (pages := self._missing(size + spare)) > 0:
                if not self._delete_oldest(pages * PAGE):
                    break
        if self._missing(size) <= 0:
            return True
        if self.most > 4 * SPARE + size // PAGE:
            raise Damaged("full of nothing")
        return False  # the limit is too small for any object

    def _delete_oldest(self, wanted: int) -> bool:
        """Delete some of the oldest, of `wanted` bytes together or of one entry at least."""
        oldest: list[bytes] = []
        for key, size in self._db.execute("SELECT key, size FROM entries ORDER BY used LIMIT 1000"):
            oldest.append(key)
            wanted -= size if isinstance(size, int) else PAGE
            if wanted <= 0:
                break
        for key in oldest:
            self._delete(key)
        return bool(oldest)

    def _delete(self, key: bytes) -> None:
        self._db.execute("DELETE FROM objects WHERE id = (SELECT object FROM entries WHERE key = ?)", (key,))
        self._db.execute("DELETE FROM entries WHERE key = ?", (key,))

    def _last(self) -> int:
        last = self._one("SELECT max(used) FROM entries") or 0
        if not isinstance(last, int) or not 0 <= last < 1 << 62:
            raise Damaged("an impossible order of use")
        return last

    def _one(self, question: str) -> Any:
        return self._db.execute(question).fetchone()[0]

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise
