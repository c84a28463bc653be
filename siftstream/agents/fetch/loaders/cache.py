"""The disk cache of loaded objects: several processes share one folder, and no fault in it stops a load.

One SQLite file holds everything, bytes too, so an entry is there whole or not at all, whoever is killed.
Nothing in it is ever run or unpickled; its key is a hash of the URI, which may hold a signature.
"""

import logging
import os
import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from struct import pack
from threading import Lock
from typing import Final, TypeVar

from siftstream.agents.fetch.loaders.cache_file import CacheFile, Damaged, Entry
from siftstream.agents.fetch.loaders.forks import FORKS
from siftstream.schemas.errors import ConfigError

LARGEST: Final = 4  # an object takes at most one part in so many of the limit
TOUCHES: Final = 512  # reads remembered before their order is written down
PASSING: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
OUTSIDE: Final = frozenset(  # the disk's or the folder's fault: the file itself may be sound
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_NOMEM,
    }
)
T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """A cached object, what its server said of this version, and when it was last known to hold."""

    data: bytes
    validator: str
    stored: float  # seconds since the epoch


class Cache:
    """Objects by URI within `limit` bytes on disk, the least recently used go first; for threads and forks.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     cache = Cache(Path(folder), 1 << 20, now=lambda: 7.0)
    ...     cache.put("https://host/a", b"meow", '"v1"')
    ...     print(cache.get("https://host/a"), cache.get("https://host/b"))
    ...     cache.close()
    Kept(data=b'meow', validator='"v1"', stored=7.0) None
    """

    def __init__(self, folder: Path, limit: int, *, now: Callable[[], float] = time.time) -> None:
        """Make the folder; the file in it is opened with the first use.

        Raises:
            ConfigError: there can be no such folder.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a path"
            raise ConfigError(
                f"fetch.cache.folder: {folder} cannot be made ({reason});"
                " name another folder, or set fetch.cache.max_bytes to 0"
            ) from None
        self.path = folder / "objects.sqlite"
        self.limit = limit
        self.largest = limit // LARGEST
        self._now = now
        self._lock = Lock()
        self._file: CacheFile | None = None
        self._inherited: CacheFile | None = None
        self._touched: dict[
            bytes, None
        ] = {}  # keys read since the last write, in the order of their last read
        self._warned = False
        FORKS.add(self)

    def get(self, uri: str) -> Kept | None:
        """Return the copy; None where there is none, or none that is whole."""
        key = _key(uri)
        entry = self._attempt(lambda file: file.find(key))
        if entry is None:
            return None
        if entry.data is None or entry.sum != _sum(key, entry.data) or entry.seal != _seal(key, entry):
            self._attempt(lambda file: file.drop(key))
            return None
        with self._lock:
            self._touched.pop(key, None)
            self._touched[key] = None
            full = len(self._touched) >= TOUCHES
        if full:
            self._attempt(self._write_touches)
        # A time to come means that a clock was wrong: such a copy is never fresh.
        stored = entry.stored if entry.stored <= self._now() else 0.0
        return Kept(entry.data, entry.validator.decode(errors="replace"), stored)

    def put(self, uri: str, data: bytes, validator: str) -> None:
        """Keep an object in place of what was kept under its URI, unless it is too large for this cache."""
        key = _key(uri)
        if len(data) > self.largest:
            self._attempt(lambda file: file.drop(key))
            return
        entry = _sealed(
            key, Entry(validator.encode(errors="replace"), self._now(), _sum(key, data), b"", data)
        )

        def write(file: CacheFile) -> None:
            self._write_touches(file)
            file.insert(key, entry)

        self._attempt(write)

    def renew(self, uri: str) -> None:
        """Note that the copy still holds."""
        key = _key(uri)

        def write(file: CacheFile) -> None:
            self._write_touches(file)
            entry = file.find(key, with_data=False)
            if entry is not None and entry.seal == _seal(key, entry):
                fresh = Entry(entry.validator, self._now(), entry.sum, b"", None)
                file.reseal(key, _sealed(key, fresh))

        self._attempt(write)

    def close(self) -> None:
        """Write down what is remembered and close the file; the next use would open it again."""
        if self._file is not None and self._touched:
            self._attempt(self._write_touches)
        with self._lock:
            self._close()

    def _write_touches(self, file: CacheFile) -> None:
        touched, self._touched = self._touched, {}
        file.touch(touched)

    def _attempt(self, action: Callable[[CacheFile], T]) -> T | None:
        """Do it; where the file is damaged begin a new one, where the disk will not, do without."""
        with self._lock:
            try:
                return action(self._open())
            except (sqlite3.Error, OSError, Damaged) as error:
                self._fail(error)
                return None

    def _fail(self, error: Exception) -> None:
        code: int = getattr(error, "sqlite_errorcode", 0)
        if code & 0xFF in PASSING or code == sqlite3.SQLITE_READONLY_DBMOVED:
            return  # another process is writing, or just began a new file: do without, this once
        outside = isinstance(error, OSError) or code & 0xFF in OUTSIDE
        if code & 0xFF == sqlite3.SQLITE_READONLY and _writable(self.path):
            outside = False  # it is the file that says so
        if outside:
            self._close()
            self._warn(str(error))
        else:
            self._discard(str(error))

    def _open(self) -> CacheFile:
        if self._file is not None and not self._file.is_at(self.path):
            self._close()  # another process began a new file
        if self._file is None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                if not stat.S_ISREG(self.path.lstat().st_mode):
                    self.path.unlink()
            self._file = CacheFile(self.path, self.limit, self.largest)
        return self._file

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(sqlite3.Error):
                file.close()

    def _discard(self, reason: str) -> None:
        """Remove the file, unless another process already put a new one in its place."""
        mine = self._file is None or self._file.is_at(self.path)
        self._close()
        if not mine:
            return
        log.warning("The cache %s begins anew (%s); objects are loaded again.", self.path, reason)
        try:
            self.path.unlink(missing_ok=True)  # first: nobody begins a transaction in a file that is gone
            self.path.with_name(f"{self.path.name}-journal").unlink(missing_ok=True)
        except OSError as error:
            self._warn(str(error))

    def hold(self) -> None:
        """Wait until nothing is under way: a fork must not copy half a transaction."""
        self._lock.acquire()

    def go_on(self, *, child: bool) -> None:
        """Go on after a fork; the child opens the file for itself and leaves the parent's alone."""
        if child:
            self._inherited, self._file = self._file or self._inherited, None
            self._touched = {}
        self._lock.release()

    def _warn(self, reason: str) -> None:
        if not self._warned:
            log.warning(
                "The cache %s cannot be used (%s); loading goes on without it."
                " Free disk space, or set fetch.cache.folder to one that this process may write.",
                self.path,
                reason,
            )
        self._warned = True


def _writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _key(uri: str) -> bytes:
    return sha256(uri.encode(errors="surrogatepass")).digest()


def _sum(key: bytes, data: bytes) -> bytes:
    digest = sha256(key)
    digest.update(data)
    return digest.digest()


def _seal(key: bytes, entry: Entry) -> bytes:
    """Return the checksum of all but the data, so that renewing an entry need not read them."""
    return sha256(key + entry.sum + pack(">d", entry.stored) + entry.validator).digest()


def _sealed(key: bytes, entry: Entry) -> Entry:
    return entry._replace(seal=_seal(key, entry))
