"""s3: against moto's server for the API, and a small HTTP server for what moto cannot be made to do."""

import asyncio
import builtins
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from siftstream.agents.fetch.loaders.base import Loaded
from siftstream.agents.fetch.loaders.http import HttpLoader
from siftstream.agents.fetch.loaders.s3 import S3Loader
from siftstream.agents.fetch.loaders.sigv4 import Scope, Signer
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import LoadError, RefusedError, SiftError, UnavailableError
from tests.agents.fetch.servers import BODY, SECRET, Wanted, aws_environment, s3_server

ERRORS = {"NoSuchKey": 404, "AccessDenied": 403, "SlowDown": 503, "InternalError": 500, "Odd": 502}
KEYS = ["a.png", "a/b c.png", "a//b", "a/../b", "100%.png", "é+&=?#@:~*'()!$,;.png", "日本.png", " ", "a\tb"]


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with s3_server() as endpoint, pytest.MonkeyPatch.context() as patch:
        for name, value in aws_environment(endpoint).items():
            patch.setenv(name, value)
        client = boto3.Session().client("s3")
        client.create_bucket(Bucket="pictures")
        for key in KEYS:
            client.put_object(Bucket="pictures", Key=key, Body=f"bytes of {key}".encode())
        client.put_object(Bucket="pictures", Key="packed", Body=b"raw", ContentEncoding="gzip")
        client.close()
        yield endpoint


@pytest.fixture
def s3(moto: str, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in aws_environment(moto).items():
        monkeypatch.setenv(name, value)
    return moto


@pytest.fixture
async def moody(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[web.BaseRequest]]:
    """An endpoint whose objects are named by how they answer; gives the requests that it saw."""
    seen: list[web.BaseRequest] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        name = request.match_info["key"]
        if name in ERRORS:
            text = f"<?xml version='1.0'?><Error><Code>{name}</Code><Message>{SECRET}</Message></Error>"
            return web.Response(status=ERRORS[name], text=text, headers={"Retry-After": "3"})
        if name == "moved":
            here = "eu-west-3" in request.headers["Authorization"]
            return web.Response(status=200 if here else 301, headers={"x-amz-bucket-region": "eu-west-3"})
        if name == "astray":
            return web.Response(status=301, headers={"x-amz-bucket-region": f"r-{len(seen)}"})
        if name == "redirect":
            raise web.HTTPTemporaryRedirect("/pictures/ok")
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        assert request.transport is not None
        if name == "drop":
            request.transport.close()
        if name != "stall":
            await response.write(BODY)
        else:
            await response.write(b"x")
            while not request.transport.is_closing():
                await closed.wait()
        return response

    closed = asyncio.Event()
    app = web.Application()
    app.add_routes([web.get("/{bucket}/{key:.*}", answer)])
    async with TestServer(app, shutdown_timeout=0) as server:
        for name, value in aws_environment(str(server.make_url("/")).rstrip("/"), SECRET).items():
            monkeypatch.setenv(name, value)
        yield seen
        closed.set()


async def load(uri: str, want: Wanted | None = None, **settings: Any) -> Loaded | None:
    async with S3Loader(FetchSettings.model_validate(settings)) as loader:
        return await loader.load(uri, want or Wanted())


@pytest.mark.usefixtures("s3")
async def test_every_object_is_loaded_by_its_literal_key() -> None:
    async with S3Loader(FetchSettings()) as loader:
        for key in KEYS:
            loaded = await loader.load(f"s3://pictures/{key}", Wanted())
            assert loaded is not None
            assert loaded.data == f"bytes of {key}".encode()


@pytest.mark.usefixtures("s3")
async def test_a_copy_that_still_holds_is_not_sent_again() -> None:
    loaded = await load("s3://pictures/a.png")
    assert loaded is not None
    assert loaded.validator.startswith('etag:"')
    assert await load("s3://pictures/a.png", Wanted(loaded.validator)) is None
    assert await load("s3://pictures/a.png", Wanted('etag:"other"')) == loaded


@pytest.mark.usefixtures("s3")
async def test_bytes_come_as_they_are_stored() -> None:
    loaded = await load("s3://pictures/packed")
    assert loaded is not None
    assert loaded.data == b"raw"


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize(("uri", "code"), [("pictures/gone", "NoSuchKey"), ("no-bucket/a", "NoSuchBucket")])
async def test_what_is_not_there_is_said_in_the_words_of_s3(uri: str, code: str) -> None:
    with pytest.raises(LoadError, match=f"s3://{uri}: S3 says {code}"):
        await load(f"s3://{uri}")


@pytest.mark.usefixtures("s3")
async def test_an_object_too_large_is_refused_and_room_is_asked_for_first() -> None:
    with pytest.raises(RefusedError, match=r"s3://pictures/a\.png: larger"):
        await load("s3://pictures/a.png", max_bytes=3)
    want = Wanted()
    await load("s3://pictures/a.png", want)
    assert want.asked == [len(b"bytes of a.png")]


async def test_a_presigned_url_is_an_ordinary_https_uri(s3: str) -> None:
    client = boto3.Session().client("s3")
    settings = FetchSettings(allow_private_addresses=("127.0.0.1",))
    async with HttpLoader(settings) as loader:
        for key in ["a.png", "a/b c.png", "é+&=?#@:~*'()!$,;.png"]:
            url = client.generate_presigned_url("get_object", {"Bucket": "pictures", "Key": key})
            assert url.startswith(s3)
            loaded = await loader.load(url, Wanted())
            assert loaded is not None
            assert loaded.data == f"bytes of {key}".encode()
        url = client.generate_presigned_url("get_object", {"Bucket": "pictures", "Key": "gone"})
        with pytest.raises(LoadError, match=r"pictures/gone\?…: HTTP 404") as caught:
            await loader.load(url, Wanted())
        assert "ignature" not in str(caught.value)
    client.close()


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("NoSuchKey", LoadError),
        ("AccessDenied", LoadError),
        ("SlowDown", UnavailableError),
        ("InternalError", UnavailableError),
        ("Odd", UnavailableError),
    ],
)
async def test_an_error_of_s3_is_lasting_or_passing(
    moody: list[Any], key: str, kind: type[SiftError]
) -> None:
    with pytest.raises(kind, match=f"s3://pictures/{key}: S3 says {key}") as caught:
        await load(f"s3://pictures/{key}")
    assert SECRET not in str(caught.value)
    assert len(moody) == 1
    if isinstance(caught.value, UnavailableError):
        assert caught.value.retry_after == 3


async def test_a_bucket_in_another_region_is_found_there_and_remembered(moody: list[Any]) -> None:
    async with S3Loader(FetchSettings()) as loader:
        assert await loader.load("s3://pictures/moved", Wanted()) == Loaded(b"")
        assert await loader.load("s3://pictures/moved", Wanted()) == Loaded(b"")
    assert len(moody) == 3


async def test_a_bucket_that_is_always_elsewhere_ends(moody: list[Any]) -> None:
    with pytest.raises(LoadError, match="the bucket is in region r-2"):
        await load("s3://pictures/astray")
    assert len(moody) == 2


async def test_a_redirect_is_not_followed(moody: list[Any]) -> None:
    with pytest.raises(LoadError, match="HTTP 307"):
        await load("s3://pictures/redirect")
    assert len(moody) == 1


@pytest.mark.usefixtures("moody")
async def test_a_transfer_cut_short_or_silent_may_be_tried_again() -> None:
    with pytest.raises(UnavailableError, match="broke off"):
        await load("s3://pictures/drop")
    with pytest.raises(UnavailableError, match=r"nothing came for 0\.1 s"):
        await load("s3://pictures/stall", chunk_timeout=0.1)


async def test_loads_one_after_another_share_a_connection(moody: list[Any]) -> None:
    async with S3Loader(FetchSettings()) as loader:
        ports: set[Any] = set()
        for _ in range(3):
            assert await loader.load("s3://pictures/ok", Wanted()) == Loaded(BODY)
            ports.add(moody[-1].transport.get_extra_info("peername"))
    assert len(ports) == 1


async def test_a_proxy_of_the_environment_is_used(moody: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = os.environ["AWS_ENDPOINT_URL_S3"]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://s3.invalid")
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert await load("s3://pictures/ok") == Loaded(BODY)
    assert moody[0].headers["Host"] == "s3.invalid"


@pytest.mark.parametrize("key", ["a.png", "a/b%20c", "%E6%97%A5~x"])
@pytest.mark.parametrize("token", [None, "token/of+a=role"])
def test_a_signature_is_that_of_botocore(
    key: str, token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = AWSRequest("GET", f"https://pictures.s3.eu-west-3.amazonaws.com/{key}")
    S3SigV4Auth(Credentials("AKID", "secret", token), "s3", "eu-west-3").add_auth(request)
    now = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    signer = Signer("AKID", "secret", token)
    for _ in range(2):
        ours = signer.headers("pictures.s3.eu-west-3.amazonaws.com", f"/{key}", Scope("eu-west-3"), now)
        assert ours["Authorization"] == request.headers["Authorization"]


@pytest.mark.usefixtures("s3")
async def test_missing_credentials_name_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(LoadError, match="set AWS_ACCESS_KEY_ID"):
        await load("s3://pictures/a")


@pytest.mark.usefixtures("s3")
async def test_credentials_that_are_renewed_sign_what_follows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    script = tmp_path / "credentials.py"
    script.write_text(
        "import json; print(json.dumps(dict(Version=1, AccessKeyId='a', SecretAccessKey='b',"
        " SessionToken='c', Expiration='2099-01-01T00:00:00Z')))"
    )
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {sys.executable} {script}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    loaded = await load("s3://pictures/a.png")
    assert loaded is not None


@pytest.mark.parametrize(
    "uri", ["s3://bucket", "s3://bucket/", "s3:///key", "s3://a b/key", "s3://u:p@b/key"]
)
async def test_what_is_no_bucket_and_key_is_refused_unasked(uri: str) -> None:
    with pytest.raises(LoadError, match="s3://bucket/key"):
        await load(uri)


async def test_without_boto3_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_boto3(name: str, *rest: Any) -> Any:
        if name.startswith("boto"):
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_boto3)
    with pytest.raises(LoadError, match=r"pip install 'siftstream\[s3\]'"):
        await load("s3://bucket/key")


def test_boto3_is_imported_with_the_first_s3_uri_only() -> None:
    code = (
        "import json, sys; from siftstream.agents.fetch.loaders import make_loaders;"
        "from siftstream.agents.fetch.settings import FetchSettings; make_loaders(FetchSettings());"
        "print(json.dumps(sorted({'boto3', 'botocore', 'fsspec', 'paramiko'} & set(sys.modules))))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert json.loads(answer.stdout) == []
