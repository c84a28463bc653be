"""s3://bucket/key: boto3 says where a bucket is and with whose credentials; aiohttp transfers.

boto3 is imported with the first such URI and looks where AWS tools do: environment, shared configuration
files, instance role. Its own transfer costs five times the processor time an object.
"""

import asyncio
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, quote

import aiohttp
from yarl import URL

from siftstream.agents.fetch.loaders import transfer
from siftstream.agents.fetch.loaders.base import Loaded, Loader, Want
from siftstream.agents.fetch.loaders.redact import redact
from siftstream.agents.fetch.loaders.sigv4 import Scope, Signer
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import ConfigError, LoadError, UnavailableError

TRANSIENT: Final = frozenset(
    {"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "Throttling"}
)
LONGEST_ERROR: Final = 1 << 16
_CODE = re.compile(rb"<Code>([A-Za-z0-9.]{1,64})</Code>")
_REGION = re.compile(r"[a-z0-9-]{1,40}")
_URI = re.compile(
    r"s3://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9])/(?P<key>.+)", re.DOTALL | re.I
)


@dataclass(frozen=True)
class Bucket:
    """Where the objects of a bucket are: `origin + path + quoted key`."""

    origin: str
    host: str
    path: str
    scope: Scope
    proxy: str | None


class S3Loader(Loader):
    """GETs whole objects; the key stands in the URI as it is, not percent-encoded.

    The endpoint is the operator's choice, so it may be private; it is not followed anywhere else.
    """

    schemes: ClassVar[tuple[str, ...]] = ("s3",)
    _session: aiohttp.ClientSession

    def __init__(self, settings: FetchSettings) -> None:
        super().__init__(settings)
        self._aws: Aws | None = None
        self._connecting = asyncio.Lock()
        self._buckets: dict[str, Bucket] = {}
        self._signer: tuple[Any, Signer] | None = None

    async def close(self) -> None:
        """Close the session and its connections."""
        if self._aws:
            await self._session.close()
            self._aws.client.close()

    async def load(self, uri: str, want: Want) -> Loaded | None:
        """GET the object."""
        shown = redact(uri)
        match = _URI.fullmatch(uri)
        if match is None:
            raise LoadError(f"{shown}: an S3 URI is s3://bucket/key")
        name = match["bucket"]
        key = quote(match["key"], safe="/~", errors="surrogatepass")
        aws = self._aws or await self._connect(shown)
        bucket = self._buckets.get(name) or await self._find(shown, aws, name)
        try:
            return await self._get(shown, aws, bucket, key, want)
        except _Elsewhere as error:
            bucket = await self._find(shown, aws, name, error.region)
            return await self._get(shown, aws, bucket, key, want)

    async def _get(self, shown: str, aws: "Aws", bucket: Bucket, key: str, want: Want) -> Loaded | None:
        path = bucket.path + key
        signer = await self._current_signer(shown, aws)
        headers = signer.headers(bucket.host, path, bucket.scope, datetime.now(UTC))
        del headers["host"]  # aiohttp sends it
        headers |= transfer.asking_for_news(want.known)
        url = URL(bucket.origin + path, encoded=True)
        with transfer.failures_told(shown, self.settings):
            request = self._session.get(url, headers=headers, proxy=bucket.proxy, allow_redirects=False)
            async with request as response:
                if response.status == 304 and want.known:
                    return None
                if response.status != 200:
                    raise await _told(shown, response, bucket)
                length = response.content_length
                body = await transfer.body_of(response, self.settings.max_bytes, want, length)
                return Loaded(body, transfer.validator_of(response.headers))

    async def _current_signer(self, shown: str, aws: "Aws") -> Signer:
        """Return a signer with credentials that hold now; those of a role are renewed in a thread."""
        needs_renewal = getattr(aws.credentials, "refresh_needed", None)
        try:
            if needs_renewal is not None and needs_renewal():
                frozen = await asyncio.to_thread(aws.credentials.get_frozen_credentials)
            else:
                frozen = aws.credentials.get_frozen_credentials()
        except Exception as error:  # botocore, and whatever a credential process of the user raises
            raise UnavailableError(
                f"{shown}: the AWS credentials cannot be renewed ({type(error).__name__})"
            ) from None
        if self._signer is None or self._signer[0] != frozen:
            self._signer = frozen, Signer(frozen.access_key, frozen.secret_key, frozen.token)
        return self._signer[1]

    async def _connect(self, shown: str) -> "Aws":
        async with self._connecting:
            if self._aws is None:
                aws = await asyncio.to_thread(_find_aws, shown)
                connector = aiohttp.TCPConnector(
                    limit=self.settings.in_flight, limit_per_host=self.settings.per_host, ssl=aws.trust
                )
                # As with boto3, bytes come as they are stored.
                self._session = transfer.new_session(
                    self.settings,
                    connector,
                    headers={"User-Agent": "siftstream", "Accept-Encoding": "identity"},
                    auto_decompress=False,
                )
                self._aws = aws
            return self._aws

    async def _find(self, shown: str, aws: "Aws", name: str, region: str | None = None) -> Bucket:
        bucket = await asyncio.to_thread(_find_bucket, shown, aws, name, region)
        self._buckets[name] = bucket
        return bucket


@dataclass(frozen=True)
class Aws:
    """What boto3 found: its session and client, credentials if any, and whom to trust in TLS."""

    session: Any
    client: Any
    credentials: Any
    trust: ssl.SSLContext | bool


def _find_aws(shown: str) -> Aws:
    try:
        from boto3.session import Session
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise LoadError(f"{shown}: s3 needs boto3: pip install 'siftstream[s3]'") from None
    try:
        session = Session()
        client = _new_client(session, None)
        bundle = session._session.get_config_variable("ca_bundle")  # pyright: ignore[reportPrivateUsage]
        trust = ssl.create_default_context(cafile=bundle) if bundle else True
        return Aws(session, client, session.get_credentials(), trust)
    except (BotoCoreError, ValueError, OSError) as error:
        raise ConfigError(f"s3: the AWS configuration is wrong ({type(error).__name__})") from None


def _new_client(session: Any, region: str | None) -> Any:
    from botocore.config import Config

    return session.client("s3", region_name=region, config=Config(signature_version="s3v4"))


def _find_bucket(shown: str, aws: Aws, name: str, region: str | None) -> Bucket:
    """Have boto3 presign a GET, which knows endpoints, addressing styles and regions, and take that apart."""
    from botocore import exceptions as says
    from botocore.utils import get_environ_proxies

    try:
        if aws.credentials is None:
            raise says.NoCredentialsError
        client = _new_client(aws.session, region) if region else aws.client
        url = URL(client.generate_presigned_url("get_object", {"Bucket": name, "Key": "k"}), encoded=True)
    except (says.NoCredentialsError, says.PartialCredentialsError, says.NoRegionError) as error:
        raise LoadError(
            f"{shown}: {type(error).__name__}: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION"
        ) from None
    except says.ParamValidationError:
        raise LoadError(f"{shown}: not a valid bucket and key") from None
    except (says.BotoCoreError, OSError) as error:
        raise UnavailableError(f"{shown}: boto3 finds no place of it ({type(error).__name__})") from None
    _, _, signed_region, service, _ = parse_qs(url.raw_query_string)["X-Amz-Credential"][0].rsplit("/", 4)
    origin, scope = str(url.origin()), Scope(signed_region, service)
    proxy = get_environ_proxies(origin).get(url.scheme)  # asked once: it costs more than a GET
    return Bucket(origin, url.host_port_subcomponent or "", url.raw_path[:-1], scope, proxy)


class _Elsewhere(LoadError):
    """The bucket is in another region than asked."""

    def __init__(self, shown: str, region: str) -> None:
        super().__init__(f"{shown}: the bucket is in region {region}")
        self.region = region


async def _told(shown: str, response: aiohttp.ClientResponse, bucket: Bucket) -> Exception:
    """Return what an answer without the object means."""
    region = response.headers.get("x-amz-bucket-region", "")
    if response.status in (301, 307, 400) and region != bucket.scope.region and _REGION.fullmatch(region):
        return _Elsewhere(shown, region)
    match = _CODE.search(await transfer.start_of(response, LONGEST_ERROR))
    code = match[1].decode() if match else f"HTTP {response.status}"
    if code in TRANSIENT or response.status in (429, 500, 502, 503, 504):
        return UnavailableError(
            f"{shown}: S3 says {code}", retry_after=transfer.retry_after(response.headers)
        )
    return LoadError(f"{shown}: S3 says {code}")
