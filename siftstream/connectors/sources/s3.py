"""S3: what lies in a bucket or under a prefix, listed page by page by boto3."""

import re
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from siftstream.connectors.sources.base import Bad, Entry
from siftstream.connectors.sources.patterns import Patterns
from siftstream.schemas.errors import ConfigError, LoadError, SiftError, UnavailableError

_PREFIX = re.compile(r"s3://(?P<bucket>[^/]+)(?:/(?P<prefix>(?:.*/)?))?", re.IGNORECASE | re.DOTALL)
PAGE: Final = 1000  # objects; S3 gives no more at once
PASSING = frozenset({"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "Throttling"})


class Listed(NamedTuple):
    """One object as the listing tells of it; `changed` in seconds since the epoch."""

    uri: str
    etag: str
    changed: float


@dataclass(frozen=True)
class Prefix:
    """All objects under a prefix that the patterns let through; hidden ones and folder marks left out."""

    uri: str
    patterns: Patterns = field(default_factory=Patterns)

    def entries(self, bad: Bad) -> Iterator[Entry]:
        """Yield an entry an object."""
        for listed in self.objects():
            yield Entry(listed.uri)

    def tally(self) -> None:
        """Not known before: a listing costs a request a thousand objects."""
        return

    def objects(self) -> Iterator[Listed]:
        """Yield every wanted object, a page of the listing held at a time.

        Raises:
            ConfigError: boto3 is missing, or the AWS configuration is wrong.
            LoadError: no such bucket, or we may not list it; UnavailableError: S3 is away.
        """
        match = _PREFIX.fullmatch(self.uri)
        if match is None:
            raise ConfigError(f"{self.uri}: a bucket is s3://bucket and a prefix s3://bucket/prefix/")
        bucket, prefix = match["bucket"], match["prefix"] or ""
        with told(self.uri), closing(self._client()) as client:
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=prefix, PaginationConfig={"PageSize": PAGE}
            )
            for page in pages:
                for found in page.get("Contents", ()):
                    key = found["Key"]
                    if not key.endswith("/") and self.patterns.path(key[len(prefix) :]):
                        yield Listed(f"s3://{bucket}/{key}", found["ETag"], found["LastModified"].timestamp())

    def _client(self) -> Any:
        try:
            from boto3.session import Session
            from botocore.config import Config
        except ImportError:
            raise ConfigError(f"{self.uri}: s3 needs boto3: pip install 'siftstream[s3]'") from None
        return Session().client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 5}))


def is_prefix(uri: str) -> bool:
    """Whether a URI names many objects: a bucket, or a prefix that ends with `/`.

    >>> [is_prefix(uri) for uri in ("s3://cats", "s3://cats/", "s3://cats/a/", "s3://cats/a/1.png")]
    [True, True, True, False]
    """
    return _PREFIX.fullmatch(uri) is not None


@contextmanager
def told(uri: str) -> Generator[None]:
    """Turn what boto3 raises into our errors."""
    try:
        yield
    except SiftError:
        raise
    except Exception as error:
        module = type(error).__module__
        if not module.startswith(("botocore", "boto3", "urllib3")) and not isinstance(error, OSError):
            raise
        raise _ours(uri, error) from None


def _ours(uri: str, error: Exception) -> SiftError:
    answer: dict[str, Any] = getattr(error, "response", None) or {}
    name = type(error).__name__
    if answer:
        code = str(answer.get("Error", {}).get("Code", name))
        status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in PASSING or status == 429 or status >= 500:
            return UnavailableError(f"{uri}: S3 says {code}; try again later")
        return LoadError(f"{uri}: cannot be listed: S3 says {code}")
    if name in ("NoCredentialsError", "PartialCredentialsError", "NoRegionError", "ProfileNotFound"):
        return ConfigError(f"{uri}: {name}: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION")
    if name in ("ParamValidationError", "InvalidConfigError", "ConfigParseError"):
        return ConfigError(f"{uri}: cannot be listed ({name}): is the name of the bucket right?")
    return UnavailableError(f"{uri}: S3 does not answer ({name}); try again later")
