"""One archive and its members: zip, and tar in any of its compressions, read with distrust, never unpacked.

Python's zipfile and tarfile read the directory; what they may read at once, how many members they may find
and for how long they may look is bounded here. Messages leave it to the loader to name the archive.
"""

import bz2
import gzip
import lzma
import tarfile
import time
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import count
from typing import IO, Any, Final

from siftstream.agents.fetch.loaders.archive_bytes import Source
from siftstream.schemas.errors import LoadError, RefusedError

STEP: Final = 1 << 16
ENCRYPTED: Final = 0x1 | 0x40 | 0x2000  # flags of a zip member: password, strong encryption, hidden header
MEMBERS: Final = 200_000
HEADER: Final = STEP  # bytes of one tar header, its long name and its attributes
MEMBER_COST: Final = 700  # bytes of memory that one entry of an open directory takes
FOLDER: Final = "a folder"
INFLATE: Final[tuple[tuple[bytes, Callable[[Any], Any]], ...]] = (
    (b"\x1f\x8b", lambda source: gzip.GzipFile(fileobj=source)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\0", lzma.LZMAFile),
)


class Archive(ABC):
    """An archive whose directory was read; for several threads at once."""

    cost: int
    """Bytes of memory that it takes while it is kept open."""

    @abstractmethod
    def size_of(self, member: str) -> int:
        """Return how many bytes the member claims to have.

        Raises:
            LoadError: there is no such member, or nothing here reads it.
            RefusedError: it is encrypted, a link or a device.
        """

    @abstractmethod
    def read(self, member: str, limit: int) -> bytes:
        """Return the member's bytes.

        Raises:
            LoadError: as `size_of` says, or it is damaged.
            RefusedError: as `size_of` says, or it is larger than `limit`.
        """


class ZipArchive(Archive):
    """A zip; stored and deflated members, whose inflation can be stopped after so many bytes."""

    def __init__(self, source: Source) -> None:
        with _damage_told("zip"):
            self._zip = zipfile.ZipFile(source)
        members = len(self._zip.infolist())
        if members > MEMBERS:
            raise _too_many()
        self.cost = source.held + members * MEMBER_COST

    def size_of(self, member: str) -> int:
        """Return the size that the directory says."""
        return self._info(member).file_size

    def read(self, member: str, limit: int) -> bytes:
        """Inflate it, at most one step past the limit; zipfile checks length and CRC."""
        info = self._info(member)
        if info.file_size > limit:
            raise too_large(limit)
        with _damage_told("zip"), self._zip.open(info) as stream:
            return _up_to(stream, limit)

    def _info(self, member: str) -> zipfile.ZipInfo:
        try:
            info = self._zip.getinfo(member)
        except KeyError:
            raise LoadError("no such member") from None
        if info.is_dir():
            raise LoadError("the member is a folder")
        if info.flag_bits & ENCRYPTED:
            raise RefusedError("the member is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise LoadError(
                f"the member is compressed by method {info.compress_type};"
                " only stored (0) and deflated (8) ones are read"
            )
        return info


class TarArchive(Archive):
    """A tar: where each member lies. A compressed one is inflated into memory first, at most to `limit`."""

    def __init__(self, source: Source, limit: int, seconds: float) -> None:
        with _damage_told("tar"):
            start = source.at(0, 6)
            for magic, inflating in INFLATE:
                if start.startswith(magic):
                    source = _inflated(source, inflating, limit)
            source.most = HEADER
            self._members = _listed(source, seconds)
        self._source = source
        self.cost = source.held + len(self._members) * MEMBER_COST

    def size_of(self, member: str) -> int:
        """Return the size that the header says."""
        return self._found(member)[1]

    def read(self, member: str, limit: int) -> bytes:
        """Copy the bytes out."""
        offset, size = self._found(member)
        if size > limit:
            raise too_large(limit)
        with _damage_told("tar"):
            data = self._source.at(offset, size)
        if len(data) < size:
            raise LoadError("the archive ends within the member")
        return data

    def _found(self, member: str) -> tuple[int, int]:
        found = self._members.get(member) or self._members.get(f"./{member}")
        if found is None:
            raise LoadError("no such member")
        if isinstance(found, str):
            raise (LoadError if found == FOLDER else RefusedError)(f"the member is {found}")
        return found


def too_large(limit: int) -> RefusedError:
    """Return the error for a member above the limit."""
    return RefusedError(f"larger than fetch.max_bytes ({limit:,} bytes)")


def _too_many() -> RefusedError:
    return RefusedError(f"the archive has more than {MEMBERS:,} members")


def _up_to(stream: IO[bytes], limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := stream.read(min(STEP, limit + 1 - size)):
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
    return b"".join(chunks)


def _inflated(source: Source, inflating: Callable[[Any], Any], limit: int) -> Source:
    try:
        with inflating(source) as stream:
            return Source(_up_to(stream, limit))
    except RefusedError:
        raise RefusedError(
            f"the tar is larger than fetch.max_bytes ({limit:,} bytes) when inflated;"
            " pack it as a zip or an uncompressed tar, of which single members are read"
        ) from None


def _listed(source: Source, seconds: float) -> dict[str, tuple[int, int] | str]:
    """Return offset and size of each regular file by its name, of others in words what they are."""
    members: dict[str, tuple[int, int] | str] = {}
    end, last = time.monotonic() + seconds, -1
    archive: Any  # typeshed knows nothing of `members`
    with tarfile.open(fileobj=source, mode="r:") as archive:
        for number in count(1):
            info = archive.next()
            if info is None:
                return members
            archive.members.clear()  # else it keeps them all, which costs ten times as much
            if info.offset <= last or info.size < 0:
                raise LoadError("a member of the tar lies before the one that it follows")
            if number > MEMBERS:
                raise _too_many()
            if time.monotonic() > end:
                raise RefusedError(f"listing the tar took more than {seconds:g} s (fetch.timeout)")
            last = info.offset
            members[info.name] = _kind_of(info) or (info.offset_data, info.size)
    raise AssertionError("count ends never")


def _kind_of(info: tarfile.TarInfo) -> str:
    """Return what a member that is no regular file is."""
    if info.issym() or info.islnk():
        return "a link"
    if info.isdir():
        return FOLDER
    if info.issparse():
        return "a sparse file"
    return "" if info.isreg() else "a device or pipe"


@contextmanager
def _damage_told(kind: str) -> Generator[None]:
    """Turn whatever the parsers raise on hostile bytes, which is many things, into a LoadError."""
    try:
        yield
    except LoadError:
        raise
    except Exception as error:
        raise LoadError(f"not a {kind} archive, or a damaged one ({type(error).__name__})") from None
