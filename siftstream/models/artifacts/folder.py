"""Artifacts in a folder, perhaps one that several machines share."""

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from siftstream.models.artifacts.store import ArtifactStore, Stored, changed, sha256_of
from siftstream.schemas import Artifact
from siftstream.schemas.errors import ModelError, SiftError, UnavailableError

PART, GOING = ".part-", ".going-"  # half written; about to be deleted
OWNERS: Final = ".pipelines"
UNNAMED: Final = "siftstream"  # the pipeline without a name
_AWAY: Final = {
    errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENOTCONN,
    errno.ENODEV, errno.EAGAIN, errno.EBUSY, errno.ENETUNREACH, errno.ECONNRESET,
}  # fmt: skip


class FolderStore(ArtifactStore):
    """A folder; where several machines share it, each may mount it elsewhere."""

    def __init__(self, root: Path) -> None:
        """Args: the folder; it is made when something is put."""
        self._root = root.absolute()

    def files(self) -> list[Stored]:
        """Return the whole files that are there."""
        return [file for name in self._names() if (file := self._stored(name)) is not None]

    def delete(self, name: str, before: float) -> bool:
        """Delete a file that nobody has put since `before`.

        It is moved aside first: who puts it at that moment finds it gone and writes it anew, and who was a
        moment earlier has made it younger, so it comes back.
        """
        path, going = self._root / name, self._root / f"{GOING}{name}"
        found = self._stored(name)
        if found is None or found.changed_at >= before:
            return False
        try:
            path.replace(going)
            return self._end(going, before)
        except FileNotFoundError:  # another collector was faster
            return False
        except OSError as error:
            raise _failed(path, "cannot be deleted", error) from error

    def claim(self, pipeline: str) -> tuple[str, ...]:
        """Note that a pipeline keeps its models here; return all that ever did."""
        owners = self._root / OWNERS
        try:
            owners.mkdir(parents=True, exist_ok=True)
            (owners / (pipeline or UNNAMED)).touch()
            return tuple(sorted(path.name for path in owners.iterdir()))
        except OSError as error:
            raise _failed(owners, "cannot be written", error) from error

    def clear(self, before: float) -> int:
        """Delete what writers that died left half written, and end what a collector began."""
        gone = 0
        for name in self._names():
            path = self._root / name
            with contextlib.suppress(OSError):  # whoever owns it may be faster
                if name.startswith(GOING):
                    gone += self._end(path, before)
                elif name.startswith(PART) and path.stat().st_mtime < before:
                    path.unlink()
                    gone += 1
        return gone

    def _end(self, going: Path, before: float) -> bool:
        """Delete a file that was moved aside; one that was put meanwhile comes back."""
        if going.stat().st_mtime < before:
            going.unlink()
            return True
        with contextlib.suppress(FileExistsError):  # written anew meanwhile
            os.link(going, self._root / going.name.removeprefix(GOING))
        going.unlink()
        return False

    def _names(self) -> list[str]:
        try:
            return sorted(path.name for path in self._root.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _failed(self._root, "cannot be listed", error) from error

    def _stored(self, name: str) -> Stored | None:
        if sha256_of(name) is None:
            return None
        try:
            found = (self._root / name).lstat()
        except OSError:
            return None
        return Stored(name, found.st_size, found.st_mtime) if stat.S_ISREG(found.st_mode) else None

    def _write(self, name: str, data: bytes) -> str:
        path = self._root / name
        try:
            if not _refreshed(path, data):
                write_whole(path, data)
        except OSError as error:
            raise _failed(path, "cannot be written", error) from error
        return path.as_uri()

    def _read(self, artifact: Artifact, name: str) -> bytes:
        parts = urlsplit(artifact.uri)
        if parts.scheme not in ("file", ""):
            raise ModelError(
                f"artifact {artifact.uri}: does not lie in this store, the folder {self._root};"
                " set model.artifacts to the store that the trainers use"
            )
        for path in (self._root / name, Path(unquote(parts.path))):
            try:
                found = path.stat()
                if not stat.S_ISREG(found.st_mode):
                    raise ModelError(f"artifact {path}: is no ordinary file and is not read")
                if found.st_size != artifact.size:
                    raise changed(artifact, found.st_size)
                return path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise _failed(path, "cannot be read", error) from error
        if not self._root.is_dir():
            raise UnavailableError(
                f"artifact {artifact.uri}: the folder {self._root} is not there;"
                " mount it, or set model.artifacts to the store that the trainers use"
            )
        raise ModelError(f"artifact {artifact.uri}: no such file, and none of that name in {self._root}")


def write_whole(path: Path, data: bytes) -> None:
    """Write beside, flush, then rename: readers see the old file or the whole new one.

    Raises:
        OSError: as the system says.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=PART)
    part = Path(temporary)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _refreshed(path: Path, data: bytes) -> bool:
    """Make the file as young as a new one; false where it is not there, or is not those bytes."""
    try:
        os.utime(path)  # first: from now on no collector takes it
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except FileNotFoundError:
        return False
    except PermissionError:  # another user's file: reading is all that is allowed
        return path.read_bytes() == data


def _failed(path: Path, what: str, error: OSError) -> SiftError:
    said = f"artifact {path}: {what}: {error.strerror or error}"
    return UnavailableError(said) if error.errno in _AWAY else ModelError(said)
