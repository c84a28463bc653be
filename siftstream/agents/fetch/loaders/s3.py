"""s3://bucket/key by boto3, which is imported with the first such URI and finds its endpoint, region and
credentials where AWS tools do: environment, shared configuration files, instance role.
"""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Lock
from typing import Any, ClassVar, Final

from siftstream.agents.fetch.loaders.base import Loader
from siftstream.agents.fetch.loaders.redact import redact
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import ConfigError, LoadError, RefusedError, UnavailableError

CHUNK: Final = 1 << 18
TRANSIENT: Final = frozenset(
    {"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "Throttling"}
)
_URI = re.compile(
    r"s3://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9])/(?P<key>.+)", re.DOTALL | re.I
)


class S3Loader(Loader):
    """GETs whole objects in threads; the key stands in the URI as it is, not percent-encoded."""

    schemes: ClassVar[tuple[str, ...]] = ("s3",)

    def __init__(self, settings: FetchSettings) -> None:
        super().__init__(settings)
        self._lock = Lock()
        self._client: Any = None
        self._threads: ThreadPoolExecutor | None = None

    async def start(self) -> None:
        """Start the threads; they, and boto3, come into being with the first load."""
        self._threads = ThreadPoolExecutor(self.settings.per_host, thread_name_prefix="fetch-s3")

    async def close(self) -> None:
        """Wait for the reads under way and close the client."""
        if self._threads:
            self._threads.shutdown(wait=True, cancel_futures=True)
        if self._client:
            self._client.close()

    async def load(self, uri: str) -> bytes:
        """Return the object's bytes."""
        match = _URI.fullmatch(uri)
        if match is None:
            raise LoadError(f"{redact(uri)}: an S3 URI is s3://bucket/key")
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, self._get, redact(uri), match["bucket"], match["key"]
        )

    def _get(self, shown: str, bucket: str, key: str) -> bytes:
        client = self._connect(shown)
        from botocore import exceptions as aws  # after _connect, which says what to do where it is missing

        try:
            answer = client.get_object(Bucket=bucket, Key=key)
            return self._body(shown, answer)
        except aws.ClientError as error:
            raise _from_client_error(shown, error.response) from None
        except (aws.NoCredentialsError, aws.PartialCredentialsError, aws.NoRegionError) as error:
            raise LoadError(
                f"{shown}: {type(error).__name__}: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION"
            ) from None
        except aws.ParamValidationError:
            raise LoadError(f"{shown}: not a valid bucket and key") from None
        except (aws.BotoCoreError, OSError) as error:
            raise UnavailableError(f"{shown}: the transfer failed ({type(error).__name__})") from None

    def _body(self, shown: str, answer: dict[str, Any]) -> bytes:
        limit = self.settings.max_bytes
        with closing(answer["Body"]) as stream:
            if answer["ContentLength"] <= limit:
                return b"".join(stream.iter_chunks(CHUNK))
        raise RefusedError(f"{shown}: larger than fetch.max_bytes ({limit:,} bytes)")

    def _connect(self, shown: str) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._new_client(shown)
            return self._client

    def _new_client(self, shown: str) -> Any:
        try:
            from boto3.session import Session
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError
        except ImportError:
            raise LoadError(f"{shown}: s3 needs boto3: pip install 'siftstream[s3]'") from None
        config = Config(
            connect_timeout=self.settings.chunk_timeout,
            read_timeout=self.settings.chunk_timeout,
            max_pool_connections=self.settings.per_host,
            retries={"total_max_attempts": 1},  # the reader retries
        )
        try:
            return Session().client("s3", config=config)
        except (BotoCoreError, ValueError) as error:
            raise ConfigError(f"s3: the AWS configuration is wrong ({type(error).__name__})") from None


def _from_client_error(shown: str, answer: Any) -> LoadError | UnavailableError:
    code = str(answer.get("Error", {}).get("Code", "unknown error"))
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in TRANSIENT or status in (429, 500, 502, 503, 504):
        return UnavailableError(f"{shown}: S3 says {code}")
    return LoadError(f"{shown}: S3 says {code}")
