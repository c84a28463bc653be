"""Every remote loader, against its real server, passes the suite that a plug-in's loader must pass."""

from pathlib import Path

import boto3
import pytest

from siftstream.agents.fetch.conformance import check_loader
from siftstream.agents.fetch.loaders.ftp import FtpLoader
from siftstream.agents.fetch.loaders.http import HttpLoader
from siftstream.agents.fetch.loaders.s3 import S3Loader
from siftstream.agents.fetch.loaders.sftp import SftpLoader
from siftstream.agents.fetch.settings import FetchSettings
from tests.agents.fetch.servers import (
    BODY,
    PASSWORD,
    aws_environment,
    ftp_server,
    s3_server,
    sftp_server,
    web_server,
)

NEAR = FetchSettings(
    schemes=("http", "s3", "ftp", "sftp"),
    allow_private_addresses=("127.0.0.1", "localhost"),
    chunk_timeout=5.0,
)


async def test_http_conforms() -> None:
    async with web_server() as web:
        await check_loader(
            HttpLoader,
            works=str(web.server.make_url("/tagged?sig=s3cr3tT0ken")),
            content=BODY,
            missing=str(web.server.make_url("/status/404?sig=s3cr3tT0ken")),
            secrets=["s3cr3tT0ken"],
            settings=NEAR,
        )


async def test_s3_conforms(monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server() as endpoint:
        for name, value in aws_environment(endpoint, secret="s3cr3tT0ken").items():
            monkeypatch.setenv(name, value)
        client = boto3.Session().client("s3")
        client.create_bucket(Bucket="pictures")
        client.put_object(Bucket="pictures", Key="a.png", Body=BODY)
        await check_loader(
            S3Loader,
            works="s3://pictures/a.png",
            content=BODY,
            missing="s3://pictures/gone.png",
            secrets=["s3cr3tT0ken"],
            settings=NEAR,
        )
        client.close()


async def test_ftp_conforms(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(BODY)
    with ftp_server(tmp_path) as server:
        await check_loader(
            FtpLoader,
            works=server.uri("a.png"),
            content=BODY,
            missing=server.uri("gone.png"),
            secrets=[PASSWORD],
            settings=NEAR,
        )


async def test_sftp_conforms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, home = tmp_path / "files", tmp_path / "home"
    files.mkdir()
    (home / ".ssh").mkdir(parents=True)
    (files / "a.png").write_bytes(BODY)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with sftp_server(files) as server:
        (home / ".ssh" / "known_hosts").write_text(server.known_host())
        await check_loader(
            SftpLoader,
            works=server.uri("a.png"),
            content=BODY,
            missing=server.uri("gone.png"),
            secrets=[PASSWORD],
            settings=NEAR,
        )
