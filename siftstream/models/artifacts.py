"""Where model files lie: by their SHA-256, in a folder or in S3, never trusted unread."""

import contextlib
import hashlib
import os
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from siftstream.schemas import Artifact
from siftstream.schemas.errors import ConfigError, ModelError, UnavailableError


class ArtifactStore(ABC):
    """Files named by their content: putting one twice is putting it once.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = ArtifactStore.open(folder)
    ...     store.get(store.put(b"weights", ".bin"))
    b'weights'
    """

    @staticmethod
    def open(uri: str, *, cache: Path | None = None) -> "ArtifactStore":
        """Open the store at `uri`: a folder (path or file: URI) or s3://bucket/prefix.

        `cache` is the folder that keeps what came from S3; by default one in the temporary folder.

        Raises:
            ConfigError: another kind of place.
        """
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

        Raises:
            ModelError: the place cannot be written; UnavailableError: it is away for now.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        return Artifact(uri=self._write(f"{sha256}{suffix}", data), sha256=sha256, size=len(data))

    def get(self, artifact: Artifact) -> bytes:
        """Return the bytes of an artifact, checked against its SHA-256.

        Raises:
            ModelError: not there, or not those bytes; UnavailableError: the place is away for now.
        """
        data = self._read(artifact)
        found = hashlib.sha256(data).hexdigest()
        if found != artifact.sha256:
            raise ModelError(
                f"artifact {artifact.uri}: {len(data)} bytes with SHA-256 {found[:12]}..., but"
                f" {artifact.size} bytes with {artifact.sha256[:12]}... were announced;"
                " the file was changed or cut short, train or import the version again"
            )
        return data

    @abstractmethod
    def _write(self, name: str, data: bytes) -> str: ...

    @abstractmethod
    def _read(self, artifact: Artifact) -> bytes: ...


class FolderStore(ArtifactStore):
    """A folder; where several machines share it, each may mount it elsewhere."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def _write(self, name: str, data: bytes) -> str:
        path = self._root / name
        try:
            _write_whole(path, data)
        except OSError as error:
            raise ModelError(f"artifact {path}: cannot be written: {error.strerror or error}") from error
        return path.as_uri()

    def _read(self, artifact: Artifact) -> bytes:
        parts = urlsplit(artifact.uri)
        if parts.scheme not in ("file", ""):
            raise ModelError(
                f"artifact {artifact.uri}: does not lie in this store, the folder {self._root};"
                " set model.artifacts to the store that the trainers use"
            )
        announced = Path(unquote(parts.path))
        for path in (self._root / announced.name, announced):
            with contextlib.suppress(FileNotFoundError):
                try:
                    return path.read_bytes()
                except FileNotFoundError:
                    raise
                except OSError as error:
                    raise ModelError(f"artifact {path}: cannot be read: {error.strerror or error}") from error
        raise ModelError(f"artifact {artifact.uri}: no such file, and none of that name in {self._root}")


class S3Store(ArtifactStore):
    """A bucket; endpoint, region and keys come from the usual AWS environment."""

    def __init__(self, bucket: str, prefix: str, cache: Path | None) -> None:
        self._bucket, self._prefix = bucket, prefix
        self._cache = cache or Path(tempfile.gettempdir()) / f"siftstream-artifacts-{os.getuid()}"
        self._client: Any = None

    def _s3(self) -> Any:
        if self._client is None:
            import boto3  # half a second and 30 MB that a folder never pays
            from botocore.config import Config

            config = Config(
                retries={"mode": "standard", "max_attempts": 4},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            )
            self._client = boto3.Session().client("s3", config=config)
        return self._client

    def _write(self, name: str, data: bytes) -> str:
        key = f"{self._prefix}/{name}" if self._prefix else name
        uri = f"s3://{self._bucket}/{key}"
        self._call(uri, "put_object", Bucket=self._bucket, Key=key, Body=data)
        self._keep(name, data)
        return uri

    def _read(self, artifact: Artifact) -> bytes:
        parts = urlsplit(artifact.uri)
        if parts.scheme != "s3":
            raise ModelError(
                f"artifact {artifact.uri}: does not lie in this store, s3://{self._bucket}/{self._prefix};"
                " set model.artifacts to the store that the trainers use"
            )
        key = parts.path.lstrip("/")
        name = f"{artifact.sha256}{Path(key).suffix}"
        with contextlib.suppress(OSError):
            data = (self._cache / name).read_bytes()
            if hashlib.sha256(data).hexdigest() == artifact.sha256:
                return data
        data = self._call(artifact.uri, "get_object", Bucket=parts.netloc, Key=key)
        if hashlib.sha256(data).hexdigest() == artifact.sha256:
            self._keep(name, data)
        return data

    def _keep(self, name: str, data: bytes) -> None:
        with contextlib.suppress(OSError):  # a cache that cannot be written costs time, nothing else
            _write_whole(self._cache / name, data)

    def _call(self, uri: str, operation: str, **arguments: Any) -> bytes:
        """Call S3 and read the answer's body; its errors become ours."""
        client = self._s3()
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = getattr(client, operation)(**arguments)
            return answer["Body"].read() if "Body" in answer else b""
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if status >= 500 or status == 429:
                raise UnavailableError(f"artifact {uri}: S3 is away: {error}") from error
            raise ModelError(f"artifact {uri}: S3 refused it: {error}") from error
        except BotoCoreError as error:
            raise UnavailableError(f"artifact {uri}: S3 cannot be reached: {error}") from error


def _write_whole(path: Path, data: bytes) -> None:
    """Write beside, flush, then rename: readers see the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".part-")
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
