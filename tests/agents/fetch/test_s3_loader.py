"""s3: boto3 itself against a small HTTP server that answers as S3 does; the real API is a docker test."""

import builtins
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from siftstream.agents.fetch.loaders.s3 import S3Loader
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import LoadError, RefusedError, SiftError, UnavailableError

ERRORS = {"NoSuchKey": 404, "AccessDenied": 403, "SlowDown": 503, "InternalError": 500}


class Bucket(BaseHTTPRequestHandler):
    """Objects are named by how they answer."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].removeprefix("/pictures/")
        status, body = 200, f"bytes of {name}".encode()
        if name in ERRORS:
            status = ERRORS[name]
            body = f"<?xml version='1.0'?><Error><Code>{name}</Code><Message>m</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) * (2 if name == "drop" else 1)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = name == "drop"

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    pytest.importorskip("boto3")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    yield
    server.shutdown()
    thread.join()
    server.server_close()


async def load(uri: str, **settings: Any) -> bytes:
    async with S3Loader(FetchSettings.model_validate(settings)) as loader:
        return await loader.load(uri)


@pytest.mark.usefixtures("s3")
async def test_an_object_is_loaded_by_its_literal_key() -> None:
    assert await load("s3://pictures/a/b%20c.png") == b"bytes of a/b%2520c.png"


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("NoSuchKey", LoadError),
        ("AccessDenied", LoadError),
        ("SlowDown", UnavailableError),
        ("InternalError", UnavailableError),
    ],
)
async def test_an_error_of_s3_is_lasting_or_passing(key: str, kind: type[SiftError]) -> None:
    with pytest.raises(kind, match=f"s3://pictures/{key}: S3 says {key}"):
        await load(f"s3://pictures/{key}")


@pytest.mark.usefixtures("s3")
async def test_a_transfer_cut_short_may_be_tried_again() -> None:
    with pytest.raises(UnavailableError, match="the transfer failed"):
        await load("s3://pictures/drop")


@pytest.mark.usefixtures("s3")
async def test_an_object_too_large_is_refused() -> None:
    with pytest.raises(RefusedError, match="larger"):
        await load("s3://pictures/big", max_bytes=3)


@pytest.mark.usefixtures("s3")
async def test_missing_credentials_name_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(LoadError, match="set AWS_ACCESS_KEY_ID"):
        await load("s3://pictures/a")


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
