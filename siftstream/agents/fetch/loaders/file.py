"""Local files: `file:` URIs and bare paths, under the configured roots, read in threads."""

import asyncio
import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import unquote

from siftstream.agents.fetch.loaders.base import Loader
from siftstream.agents.fetch.loaders.redact import redact
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import LoadError, RefusedError

THREADS: Final = 8
_FILE_URI = re.compile(r"file:(?://(?P<host>[^/]*))?(?P<path>.*)", re.IGNORECASE | re.DOTALL)


class FileLoader(Loader):
    """Reads regular files; pipes, devices and folders are refused."""

    schemes: ClassVar[tuple[str, ...]] = ("file",)

    def __init__(self, settings: FetchSettings) -> None:
        super().__init__(settings)
        self.roots = tuple(Path(os.path.realpath(Path(root).expanduser())) for root in settings.file_roots)
        self._threads: ThreadPoolExecutor | None = None

    async def start(self) -> None:
        """Start the threads."""
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="fetch-file")

    async def close(self) -> None:
        """Wait for the reads under way and end the threads."""
        if self._threads:
            self._threads.shutdown(wait=True, cancel_futures=True)

    async def load(self, uri: str) -> bytes:
        """Return the file's bytes."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, uri)

    def _read(self, uri: str) -> bytes:
        path = path_of(uri)
        try:
            descriptor = self._open(uri, path)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a path"
            raise LoadError(f"{redact(uri)}: {reason or 'cannot be opened'}") from None
        try:
            return self._read_open(uri, descriptor)
        except OSError as error:
            raise LoadError(f"{redact(uri)}: {error.strerror or 'cannot be read'}") from None
        finally:
            os.close(descriptor)

    def _open(self, uri: str, path: str) -> int:
        """Open the file; with roots, make sure that what is open is what was checked."""
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # opening a pipe must not wait for its writer
        if not self.roots:
            return os.open(path, flags)
        real = Path(os.path.realpath(path, strict=True))
        if not any(real.is_relative_to(root) for root in self.roots):
            raise RefusedError(f"{redact(uri)}: lies outside the folders of fetch.file_roots")
        descriptor = os.open(real, flags | os.O_NOFOLLOW)
        now = os.path.realpath(real)
        if now == str(real) and os.path.samestat(Path(now).stat(), os.fstat(descriptor)):
            return descriptor
        os.close(descriptor)
        raise RefusedError(f"{redact(uri)}: a link on its path changed while it was opened")

    def _read_open(self, uri: str, descriptor: int) -> bytes:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise LoadError(f"{redact(uri)}: is a folder; push its files instead")
        if not stat.S_ISREG(found.st_mode):
            raise RefusedError(f"{redact(uri)}: is no regular file")
        limit = self.settings.max_bytes
        data = b"" if found.st_size > limit else _read_up_to(descriptor, found.st_size, limit)
        if max(found.st_size, len(data)) > limit:
            raise RefusedError(f"{redact(uri)}: larger than fetch.max_bytes ({limit:,} bytes)")
        return data


def path_of(uri: str) -> str:
    """Return the local path that a `file:` URI or a bare path names.

    >>> path_of("file:///data/my%20cat.png"), path_of("data/100%.png")
    ('/data/my cat.png', 'data/100%.png')
    """
    match = _FILE_URI.fullmatch(uri)
    if match is None:
        return uri
    if match["host"] and match["host"].lower() != "localhost":
        raise LoadError(f"{redact(uri)}: names another host; a file URI needs three slashes: file:///path")
    return unquote(match["path"], errors="surrogateescape")


def _read_up_to(descriptor: int, expected: int, limit: int) -> bytes:
    """Read to the end, or one byte past `limit`; the file may grow, and /proc says 0 for any size."""
    chunks: list[bytes] = []
    size = 0
    while size <= limit:
        chunk = os.read(
            descriptor, max(expected + 1 - size, 1 << 16) if expected < limit else limit + 1 - size
        )
        if not chunk:
            break
        chunks.append(chunk)
        size += len(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
