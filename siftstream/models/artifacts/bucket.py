"""Artifacts in an S3 bucket, with a folder of this machine that saves the way."""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from siftstream.models.artifacts.folder import OWNERS, UNNAMED, FolderStore, write_whole
from siftstream.models.artifacts.store import ArtifactStore, Stored, changed, sha256_of
from siftstream.schemas import Artifact
from siftstream.schemas.errors import ModelError, UnavailableError


class S3Store(ArtifactStore):
    """A bucket; endpoint, region and keys come from the usual AWS environment.

    S3 makes an object visible whole or not at all, so nothing half written is ever to be cleared away.
    """

    def __init__(self, bucket: str, prefix: str, cache: Path | None) -> None:
        """Args: the bucket, where in it, and the folder that keeps what was read."""
        self._bucket, self._prefix = bucket, prefix
        self._cache = cache or Path(tempfile.gettempdir()) / f"siftstream-artifacts-{os.getuid()}"
        self._client: Any = None

    def files(self) -> list[Stored]:
        """Return the objects that are there."""
        found: list[Stored] = []
        more: dict[str, str] = {"Prefix": f"{self._prefix}/"} if self._prefix else {}
        while True:
            page = self._call(self._uri(""), "list_objects_v2", Bucket=self._bucket, Delimiter="/", **more)
            for entry in page.get("Contents", ()):
                name = entry["Key"].rpartition("/")[2]
                if sha256_of(name) is not None:
                    found.append(Stored(name, entry["Size"], entry["LastModified"].timestamp()))
            if not page.get("IsTruncated"):
                return found
            more["ContinuationToken"] = page["NextContinuationToken"]

    def delete(self, name: str, before: float) -> bool:
        """Delete an object that nobody has put since `before`; asked again just before it goes."""
        there = self._find(name)
        if there is None or there["LastModified"].timestamp() >= before:
            return False
        self._call(self._uri(name), "delete_object", Bucket=self._bucket, Key=self._key(name))
        with contextlib.suppress(OSError):
            (self._cache / name).unlink()
        return True

    def claim(self, pipeline: str) -> tuple[str, ...]:
        """Note that a pipeline keeps its models here; return all that ever did."""
        key = self._key(f"{OWNERS}/{pipeline or UNNAMED}")
        self._call(self._uri(OWNERS), "put_object", Bucket=self._bucket, Key=key, Body=b"")
        listed = self._call(
            self._uri(OWNERS), "list_objects_v2", Bucket=self._bucket, Prefix=self._key(f"{OWNERS}/")
        )
        return tuple(sorted(entry["Key"].rpartition("/")[2] for entry in listed.get("Contents", ())))

    def clear(self, before: float) -> int:
        """Delete what writers to this machine's cache left half written."""
        return FolderStore(self._cache).clear(before)

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    def _uri(self, name: str) -> str:
        return f"s3://{self._bucket}/{self._key(name)}"

    def _find(self, name: str) -> dict[str, Any] | None:
        """Return what S3 says of an object, none where there is none."""
        try:
            return self._call(self._uri(name), "head_object", Bucket=self._bucket, Key=self._key(name))
        except _Missing:
            return None

    def _write(self, name: str, data: bytes) -> str:
        uri, key = self._uri(name), self._key(name)
        there = self._find(name)
        if there is not None and there["ContentLength"] == len(data):
            self._call(
                uri, "copy_object", Bucket=self._bucket, Key=key, MetadataDirective="REPLACE",
                CopySource={"Bucket": self._bucket, "Key": key},
            )  # fmt: skip
        else:
            self._call(uri, "put_object", Bucket=self._bucket, Key=key, Body=data)
        self._keep(name, data)
        return uri

    def _read(self, artifact: Artifact, name: str) -> bytes:
        parts = urlsplit(artifact.uri)
        if parts.scheme != "s3":
            raise ModelError(
                f"artifact {artifact.uri}: does not lie in this store, s3://{self._bucket}/{self._prefix};"
                " set model.artifacts to the store that the trainers use"
            )
        with contextlib.suppress(OSError):
            data = (self._cache / name).read_bytes()
            if hashlib.sha256(data).hexdigest() == artifact.sha256:
                return data
        answer = self._call(artifact.uri, "get_object", Bucket=parts.netloc, Key=parts.path.lstrip("/"))
        if answer["ContentLength"] != artifact.size:
            answer["Body"].close()
            raise changed(artifact, answer["ContentLength"])
        data = self._body(artifact.uri, answer["Body"])
        if hashlib.sha256(data).hexdigest() == artifact.sha256:
            self._keep(name, data)
        return data

    def _keep(self, name: str, data: bytes) -> None:
        with contextlib.suppress(OSError):  # a cache that cannot be written costs time, nothing else
            write_whole(self._cache / name, data)

    def _body(self, uri: str, body: Any) -> bytes:
        from botocore.exceptions import BotoCoreError

        try:
            with contextlib.closing(body):
                return body.read()
        except (BotoCoreError, OSError) as error:
            raise UnavailableError(f"artifact {uri}: S3 broke off: {error}") from error

    def _call(self, uri: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """Call S3; its errors become ours."""
        client = self._s3()
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(client, operation)(**arguments)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if status >= 500 or status == 429:
                raise UnavailableError(f"artifact {uri}: S3 is away: {error}") from error
            kind = _Missing if status == 404 else ModelError
            raise kind(f"artifact {uri}: S3 refused it: {error}") from error
        except BotoCoreError as error:
            raise UnavailableError(f"artifact {uri}: S3 cannot be reached: {error}") from error

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


class _Missing(ModelError):
    """S3 has no such object."""
