"""zip://member::INNER-URI and tar://member::INNER-URI: one member of an archive that lies at another URI.

The inner URI is loaded by the reader, with all its guards and its cache; a local file is opened in place. The
last few archives stay open, so that their directories are read once for many members.
"""

import asyncio
import os
import stat
import time
import weakref
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import ClassVar, Final

from siftstream.agents.fetch.loaders.archive_bytes import Source
from siftstream.agents.fetch.loaders.base import Loaded, Loader, Want, scheme_of
from siftstream.agents.fetch.loaders.file import FLAGS, FileLoader, path_of
from siftstream.agents.fetch.loaders.members import Archive, TarArchive, ZipArchive, too_large
from siftstream.agents.fetch.loaders.redact import redact
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import LoadError, RefusedError

KEPT: Final = 8  # archives kept open
SHARE: Final = 4  # they take at most one part in so many of fetch.in_flight_bytes
LoadInner = Callable[[str], Awaitable[bytes]]
Stamp = tuple[int, ...]  # tells one version of a local file from another; of a remote one nothing does
Key = tuple[str, str]  # scheme and inner URI


class ArchiveLoader(Loader):
    """Reads members; the name stands in the URI as in the archive, not percent-encoded.

    It waits for other loads, so the reader gives it no place and no deadline: the inner load has both.
    """

    schemes: ClassVar[tuple[str, ...]] = ("zip", "tar")
    cacheable: ClassVar[bool] = False  # what costs time is the inner object, which the reader's cache keeps

    def __init__(
        self,
        settings: FetchSettings,
        load_inner: LoadInner | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args: limits; what loads a URI, where it is known already; the clock by which copies grow old."""
        super().__init__(settings)
        self._load_inner = load_inner
        self._now = now
        self._files = _LocalFiles(settings)
        self._kept: OrderedDict[Key, tuple[Archive, Stamp, float]] = OrderedDict()  # the last used one last
        self._opening: dict[tuple[Key, Stamp], asyncio.Task[Archive]] = {}

    def load_inner_by(self, load_inner: LoadInner) -> None:
        """Say what loads a URI: the reader, which comes into being after its loaders."""
        self._load_inner = load_inner

    async def close(self) -> None:
        """Stop what is being opened, and close what is open."""
        opening = list(self._opening.values())
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        self._kept.clear()

    async def load(self, uri: str, want: Want) -> Loaded:
        """Return the member's bytes."""
        limit = self.settings.max_bytes
        shown = redact(uri)
        try:
            key, member = self._parts(uri)
            data = await self._at_once(key, member, want)
            if data is not None:
                return Loaded(data)
            archive = await self._archive(key)
            size = archive.size_of(member)
            if size > limit:
                raise too_large(limit)
            # While this waits for memory, nothing holds on to an archive that is no longer kept.
            held = weakref.ref(archive)
            del archive
            await want.room_for(size)
            archive = held() or await self._archive(key)
            return Loaded(await asyncio.to_thread(archive.read, member, limit))
        except LoadError as error:
            raise type(error)(f"{shown}: {error}") from None

    async def _at_once(self, key: Key, member: str, want: Want) -> bytes | None:
        """Read from an open local archive with one trip to a thread; None where it takes more than that."""
        archive, stamp, _ = self._kept.get(key, (None, (), 0.0))
        limit = self.settings.max_bytes
        if archive is None or not stamp:
            return None
        self._kept.move_to_end(key)
        try:
            size = archive.size_of(member)
        except LoadError:
            return None  # the file may be another by now
        if size > limit:
            return None
        await want.room_for(size)
        return await asyncio.to_thread(self._read_if_same, key[1], stamp, archive, member)

    def _read_if_same(self, uri: str, stamp: Stamp, archive: Archive, member: str) -> bytes | None:
        with self._open_local(uri) as source:
            return archive.read(member, self.settings.max_bytes) if source.stamp == stamp else None

    def _parts(self, uri: str) -> tuple[Key, str]:
        """Return scheme, inner URI and member; refuse a chain that is too long."""
        scheme, member, inner = split_chain(uri)
        if not inner:
            raise LoadError(f"an archive's URI is {scheme}://member::URI-of-the-archive")
        depth, rest = 1, inner
        while scheme_of(rest) in self.schemes and rest:
            depth, rest = depth + 1, split_chain(rest)[2]
        if depth > self.settings.max_archive_depth:
            raise RefusedError(
                f"deeper than fetch.max_archive_depth ({self.settings.max_archive_depth}) archives"
            )
        return (scheme, inner), member

    async def _archive(self, key: Key) -> Archive:
        """Return the archive, kept or opened now; who wants one that is being opened waits for the same."""
        source, stamp = None, ()
        if scheme_of(key[1]) == "file":
            source = await asyncio.to_thread(self._open_local, key[1])
            stamp = source.stamp
        kept = self._kept.get(key)
        if kept is not None and kept[1] == stamp and (source or self._is_fresh(kept[2])):
            self._kept.move_to_end(key)
            return kept[0]
        task = self._opening.get((key, stamp))
        if task is None:
            task = self._opening[key, stamp] = asyncio.create_task(self._open(key, stamp, source))
            task.add_done_callback(lambda done: self._opened(key, stamp, done))
        return await asyncio.shield(task)

    def _is_fresh(self, since: float) -> bool:
        return self._now() - since < self.settings.cache.fresh

    def _opened(self, key: Key, stamp: Stamp, task: asyncio.Task[Archive]) -> None:
        del self._opening[key, stamp]
        if not task.cancelled():
            task.exception()  # was told to who still waits

    async def _open(self, key: Key, stamp: Stamp, source: Source | None) -> Archive:
        source = source or Source(await self._inner(key[1]))
        try:
            archive = await asyncio.to_thread(self._listed, key[0], source)
        except Exception:
            source.close()  # now: the error's traceback would hold on to it
            raise
        self._kept[key] = (archive, stamp, self._now())
        self._kept.move_to_end(key)
        most = self.settings.in_flight_bytes // SHARE
        while len(self._kept) > KEPT or sum(kept.cost for kept, _, _ in self._kept.values()) > most:
            self._kept.popitem(last=False)
        return archive

    def _listed(self, scheme: str, source: Source) -> Archive:
        if scheme == "zip":
            return ZipArchive(source)
        return TarArchive(source, self.settings.max_bytes, self.settings.timeout)

    async def _inner(self, uri: str) -> bytes:
        if self._load_inner is None:
            raise LoadError("nothing loads what archives lie in")
        try:
            return await self._load_inner(uri)
        except LoadError as error:
            raise _without(uri, error) from None

    def _open_local(self, uri: str) -> Source:
        if "file" not in self.settings.schemes:
            raise RefusedError("scheme 'file' is not in fetch.schemes")
        try:
            return Source(self._files.open(uri))
        except LoadError as error:
            raise _without(uri, error) from None


class _LocalFiles(FileLoader):
    """Opens local files under the file loader's guards, without reading them."""

    def open(self, uri: str) -> int:
        """Return the descriptor of a regular file.

        Raises:
            RefusedError, LoadError: as the file loader says.
        """
        path = path_of(uri)
        try:
            descriptor = self._open_inside(uri, path) if self.roots else os.open(path, FLAGS)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a path"
            raise LoadError(reason or "cannot be opened") from None
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISREG(mode):
            return descriptor
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise LoadError("is a folder, no archive")
        raise RefusedError("is no regular file")


def _without(uri: str, error: LoadError) -> LoadError:
    """Return the error less the URI it begins with: the chain that it is put behind ends in the same."""
    said = str(error)
    return type(error)(said.removeprefix(f"{redact(uri)}: "))


def split_chain(uri: str) -> tuple[str, str, str]:
    """Return scheme, member and inner URI, which is empty where there is none.

    >>> split_chain("zip://a/b.png::tar://c.zip::https://host/d.tar")
    ('zip', 'a/b.png', 'tar://c.zip::https://host/d.tar')
    """
    scheme, _, rest = uri.partition(":")
    member, _, inner = rest.removeprefix("//").partition("::")
    return scheme.lower(), member, inner
