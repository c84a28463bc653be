"""A real S3 API for this room: moto's server on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.plugins.leftovers import kept


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """The address of an S3 server, empty at first."""
    server_of = pytest.importorskip("moto.server").ThreadedMotoServer
    with kept():
        server = server_of(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of it; the environment leads everybody there."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    from boto3.session import Session

    client: Any = Session().client("s3")
    yield client
    client.close()
