"""Local files: `file:` URIs and bare paths, under the configured roots."""

import asyncio
import os
import re
import stat
from typing import ClassVar, Final
from urllib.parse import unquote

from siftstream.agents.fetch.loaders.base import Loaded, LocalLoader, Want
from siftstream.agents.fetch.loaders.redact import redact
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import LoadError, RefusedError

FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # opening a pipe must not wait for its writer
_FILE_URI = re.compile(r"file:(?://(?P<host>[^/]*))?(?P<path>.*)", re.IGNORECASE | re.DOTALL)


class FileLoader(LocalLoader):
    """Reads regular files; pipes, devices and folders are refused."""

    schemes: ClassVar[tuple[str, ...]] = ("file",)

    def __init__(self, settings: FetchSettings) -> None:
        super().__init__(settings)
        self.roots = tuple(os.path.realpath(os.path.expanduser(root)) for root in settings.file_roots)  # noqa: PTH111
        self._limit = settings.max_bytes
        self._by_handle = hasattr(os, "O_PATH") and os.path.exists("/proc/self/fd")  # noqa: PTH110

    async def load(self, uri: str, want: Want) -> Loaded:
        """Read the file in a thread, after there is room for as much as it holds now."""
        await want.room_for(min(await asyncio.to_thread(_size_now, uri), self._limit))
        return Loaded(await asyncio.to_thread(self.read, uri))

    def read(self, uri: str) -> bytes:
        """Return the file's bytes: four system calls where no roots are set."""
        path = path_of(uri)
        try:
            descriptor = self._open_inside(uri, path) if self.roots else os.open(path, FLAGS)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a path"
            raise LoadError(f"{redact(uri)}: {reason or 'cannot be opened'}") from None
        try:
            found = os.fstat(descriptor)
            size = found.st_size
            if stat.S_ISREG(found.st_mode) and 0 < size <= self._limit:
                data = os.read(descriptor, size + 1)
                if len(data) == size:  # a byte more was asked for, so this is its end
                    return data
                return self._read_on(uri, descriptor, data)
            self._check(uri, found)
            return self._read_on(uri, descriptor, b"")
        except OSError as error:
            raise LoadError(f"{redact(uri)}: {error.strerror or 'cannot be read'}") from None
        finally:
            os.close(descriptor)

    def _open_inside(self, uri: str, path: str) -> int:
        """Open a file under the roots, and make sure that what is open is what was checked."""
        if not self._by_handle:
            return self._open_by_name(uri, path)
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)  # names the file and does not open it yet
        try:
            place = f"/proc/self/fd/{handle}"
            self._check_root(uri, os.readlink(place))  # noqa: PTH115
            return os.open(place, FLAGS)
        finally:
            os.close(handle)

    def _open_by_name(self, uri: str, path: str) -> int:
        """Do it where the system has no such handles: look again afterwards at where the path leads."""
        real = os.path.realpath(path, strict=True)
        self._check_root(uri, real)
        descriptor = os.open(real, FLAGS | os.O_NOFOLLOW)
        now = os.path.realpath(real)
        if now == real and os.path.samestat(os.stat(now), os.fstat(descriptor)):  # noqa: PTH116
            return descriptor
        os.close(descriptor)
        raise RefusedError(f"{redact(uri)}: a link on its path changed while it was opened")

    def _check_root(self, uri: str, real: str) -> None:
        if not any(real == root or real.startswith(root.rstrip("/") + "/") for root in self.roots):
            raise RefusedError(f"{redact(uri)}: lies outside the folders of fetch.file_roots")

    def _check(self, uri: str, found: os.stat_result) -> None:
        if stat.S_ISDIR(found.st_mode):
            raise LoadError(f"{redact(uri)}: is a folder; push its files instead")
        if not stat.S_ISREG(found.st_mode):
            raise RefusedError(f"{redact(uri)}: is no regular file")
        if found.st_size > self._limit:
            raise self._too_large(uri)

    def _read_on(self, uri: str, descriptor: int, begun: bytes) -> bytes:
        """Read to the end; the file may grow or shrink meanwhile, and /proc says 0 for any size."""
        chunks, size = [begun], len(begun)
        while size <= self._limit:
            chunk = os.read(descriptor, min(1 << 16, self._limit + 1 - size))
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
            size += len(chunk)
        raise self._too_large(uri)

    def _too_large(self, uri: str) -> RefusedError:
        return RefusedError(f"{redact(uri)}: larger than fetch.max_bytes ({self._limit:,} bytes)")


def path_of(uri: str) -> str:
    """Return the local path that a `file:` URI or a bare path names.

    >>> path_of("file:///data/my%20cat.png"), path_of("data/100%.png")
    ('/data/my cat.png', 'data/100%.png')

    Raises:
        LoadError: it names another host.
    """
    match = _FILE_URI.fullmatch(uri)
    if match is None:
        return uri
    host, path = match.groups()
    if host and host.lower() != "localhost":
        raise LoadError(f"{redact(uri)}: names another host; a file URI needs three slashes: file:///path")
    return unquote(path, errors="surrogateescape") if "%" in path else path


def _size_now(uri: str) -> int:
    try:
        return os.stat(path_of(uri)).st_size  # noqa: PTH116
    except (OSError, ValueError):
        return 0  # reading it says what is wrong
