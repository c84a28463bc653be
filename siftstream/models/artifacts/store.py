"""What every artifact store does: files by their content, put, read, listed by age, deleted."""

import hashlib
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from siftstream.schemas import Artifact
from siftstream.schemas.errors import ConfigError, ModelError

_NAME: Final = re.compile(r"(?P<sha256>[0-9a-f]{64})(\.[a-z0-9.]{1,32})?")


@dataclass(frozen=True)
class Stored:
    """One file of a store, as a listing tells it."""

    name: str
    size: int
    changed_at: float
    """Seconds since the epoch at which it was put for the last time."""

    @property
    def sha256(self) -> str:
        """The content that its name announces."""
        return self.name[:64]


class ArtifactStore(ABC):
    """Files named by their content: putting one twice is putting it once.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = ArtifactStore.open(folder)
    ...     artifact = store.put(b"weights", ".bin")
    ...     store.get(artifact), [file.size for file in store.files()]
    (b'weights', [7])
    """

    @staticmethod
    def open(uri: str, *, cache: Path | None = None) -> "ArtifactStore":
        """Open the store at `uri`: a folder (path or file: URI) or s3://bucket/prefix.

        `cache` is the folder that keeps what came from S3; by default one in the temporary folder.

        Raises:
            ConfigError: another kind of place.
        """
        from siftstream.models.artifacts.bucket import S3Store
        from siftstream.models.artifacts.folder import FolderStore

        parts = urlsplit(uri)
        if parts.scheme == "s3" and parts.netloc:
            return S3Store(parts.netloc, parts.path.strip("/"), cache)
        if parts.scheme == "file" and parts.netloc in ("", "localhost"):
            return FolderStore(Path(unquote(parts.path)))
        if not parts.scheme:
            return FolderStore(Path(uri).expanduser())
        raise ConfigError(
            f"model.artifacts: {uri!r} is no store; give a folder (path or file:///path)"
            " or s3://bucket/prefix"
        )

    def put(self, data: bytes, suffix: str) -> Artifact:
        """Store `data` and say where; there is no moment at which half a file has its name.

        What is there already is not written again, but counts as put now.

        Raises:
            ModelError: the place cannot be written; UnavailableError: it is away for now.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        return Artifact(uri=self._write(f"{sha256}{suffix}", data), sha256=sha256, size=len(data))

    def get(self, artifact: Artifact) -> bytes:
        """Return the bytes of an artifact, checked against its SHA-256; no file of another name is read.

        Raises:
            ModelError: not there, or not those bytes; UnavailableError: the place is away for now.
        """
        name = unquote(urlsplit(artifact.uri).path).rpartition("/")[2]
        if sha256_of(name) != artifact.sha256:
            raise ModelError(
                f"artifact {artifact.uri}: a model file is named by its SHA-256, {artifact.sha256[:12]}...;"
                " this is another file and is not read"
            )
        data = self._read(artifact, name)
        found = hashlib.sha256(data).hexdigest()
        if found != artifact.sha256:
            raise changed(artifact, len(data), f" with SHA-256 {found[:12]}...")
        return data

    @abstractmethod
    def files(self) -> "list[Stored]":
        """Return the whole files that are there, of any version; other files in the place are not ours.

        Raises:
            UnavailableError: the place is away for now; ModelError: it cannot be listed.
        """

    @abstractmethod
    def delete(self, name: str, before: float) -> bool:
        """Delete a file that nobody has put since `before`, seconds since the epoch; tell whether it went.

        Raises:
            UnavailableError: the place is away for now; ModelError: it refuses.
        """

    @abstractmethod
    def claim(self, pipeline: str) -> tuple[str, ...]:
        """Note that a pipeline keeps its models here; return all that ever did, by name.

        Raises:
            UnavailableError: the place is away for now; ModelError: it cannot be written.
        """

    def clear(self, before: float) -> int:
        """Delete what writers that died before `before` left half written; return how many files."""
        return 0

    @abstractmethod
    def _write(self, name: str, data: bytes) -> str: ...

    @abstractmethod
    def _read(self, artifact: Artifact, name: str) -> bytes: ...


def sha256_of(name: str) -> str | None:
    """Return the hash that a file is named by; none where it is no name of ours.

    >>> sha256_of("0" * 64 + ".onnx") == "0" * 64, sha256_of("passwd")
    (True, None)
    """
    match = _NAME.fullmatch(name)
    return match["sha256"] if match else None


def changed(artifact: Artifact, size: int, said: str = "") -> ModelError:
    """Return the refusal of a file of other bytes than were announced."""
    return ModelError(
        f"artifact {artifact.uri}: {size} bytes{said}, but {artifact.size} bytes with"
        f" {artifact.sha256[:12]}... were announced; the file was changed or cut short, train or import the"
        " version again"
    )
