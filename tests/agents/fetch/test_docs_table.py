"""The tables of docs/fetch.md say what happens: each cell is done here, against real servers, and compared.

`SIFTSTREAM_WRITE_DOCS=1 pytest tests/agents/fetch/test_docs_table.py` writes them anew.
"""

import asyncio
import base64
import io
import os
import re
import tarfile
import wave
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest

from siftstream.agents.fetch.loaders.reader import Reader
from siftstream.agents.fetch.loaders.redact import redact
from siftstream.agents.fetch.settings import CacheSettings, FetchSettings
from siftstream.agents.fetch.transforms.settings import BUILT_IN as KINDS
from siftstream.schemas.errors import SiftError
from tests.agents.fetch import bombs, samples
from tests.agents.fetch.servers import (
    BODY,
    aws_environment,
    ftp_server,
    s3_server,
    sftp_server,
    web_server,
)

PAGE = Path(__file__).parents[3] / "docs" / "fetch.md"
WRITE = os.environ.get("SIFTSTREAM_WRITE_DOCS") == "1"
SCHEMES = ("file", "http", "https", "data", "s3", "ftp", "ftps", "sftp", "zip", "tar")
LIMITS: dict[str, Any] = {
    "schemes": SCHEMES,
    "allow_private_addresses": ["127.0.0.1"],
    "max_bytes": 2000,
    "chunk_timeout": 10,
    "timeout": 20,
    "backoff": 0.01,
}
IMPATIENT: dict[str, Any] = {"chunk_timeout": 0.5, "attempts": 1}
NOTHING = "—"


def compare(name: str, columns: list[str], rows: dict[str, list[str]]) -> None:
    """Compare the table between the marks of this name with what was seen, or write it there."""
    lines = [f"| {' | '.join(cells)} |" for cells in [columns, ["---"] * len(columns)]]
    lines += [f"| {' | '.join([f'`{row}`', *cells])} |" for row, cells in rows.items()]
    seen = "\n".join([*lines, ""])
    page = PAGE.read_text()
    rest = page.partition(f"<!-- {name}: written by tests/agents/fetch/test_docs_table.py -->\n")[2]
    table, found, _ = rest.partition(f"<!-- {name}: end -->")
    assert found, f"docs/fetch.md has no marks for {name}"
    if WRITE:
        PAGE.write_text(page[: len(page) - len(rest)] + seen + rest[len(table) :])
    else:
        assert table.splitlines() == seen.splitlines(), "write the table anew with SIFTSTREAM_WRITE_DOCS=1"


def cell(outcome: SiftError, *uris: str) -> str:
    said = str(outcome)
    for uri in uris:
        said = said.removeprefix(f"{redact(uri)}: ")
    return f"`{type(outcome).__name__}`: {said}".replace("|", r"\|")


# --- schemes ---------------------------------------------------------------------------------


def zip_of(files: dict[str, bytes], *, encrypted: bool = False) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    packed = bytearray(out.getvalue())
    if encrypted:
        packed[packed.index(b"PK\x01\x02") + 8] |= 1
    return bytes(packed)


def tar_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return out.getvalue()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    objects = {"a.png": BODY, "big": bytes(3000)}
    for name, data in (objects | {"slow": BODY}).items():
        (folder / name).write_bytes(data)
    (folder / "a.zip").write_bytes(zip_of(objects))
    (folder / "locked.zip").write_bytes(zip_of(objects, encrypted=True))
    (folder / "a.tar").write_bytes(tar_of(objects))
    return folder


@asynccontextmanager
async def silence() -> AsyncIterator[str]:
    """A server that takes requests and never answers."""
    ended = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(wait, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        ended.set()
        server.close()
        await server.wait_closed()


async def outcome(uri: str, **changed: Any) -> str:
    inner = uri.rpartition("::")[2]
    async with Reader(FetchSettings.model_validate(LIMITS | changed)) as reader:
        try:
            async with reader.reading(uri) as data:
                assert data == BODY
                return "loaded"
        except SiftError as error:
            return cell(error, uri, inner)


async def row(works: str, missing: str, large: str, slow: str, refused: str, **changed: Any) -> list[str]:
    """Return what happens with each of these URIs, where there is one; `changed` settings refuse the last."""
    return [
        await outcome(works),
        await outcome(missing),
        await outcome(large),
        await outcome(slow, **IMPATIENT) if slow else NOTHING,
        await outcome(refused, **changed),
    ]


def without(scheme: str) -> list[str]:
    return [other for other in SCHEMES if other != scheme]


async def test_the_table_of_schemes_tells_what_happens(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: dict[str, list[str]] = {}
    (tmp_path / "elsewhere").write_bytes(BODY)
    rows["file"] = await row(
        *(f"file://{files}/{name}" for name in ("a.png", "gone", "big")),
        "",
        f"{tmp_path}/elsewhere",
        file_roots=[str(files)],
    )
    async with AsyncExitStack() as running:
        web = await running.enter_async_context(web_server())
        rows["http"] = await row(
            web.uri("ok"),
            web.uri("status/404"),
            web.uri("claims"),
            web.uri("stall"),
            web.uri("ok", "localhost"),
        )
        payload, big = (base64.b64encode(data).decode() for data in (BODY, bytes(3000)))
        rows["data"] = await row(
            f"data:;base64,{payload}",
            "data:;base64",
            f"data:;base64,{big}",
            "",
            f"data:;base64,{payload}",
            schemes=without("data"),
        )
        rows["s3"] = await s3_row(running, monkeypatch)
        home = tmp_path / "home"
        (home / ".ssh").mkdir(parents=True)
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        ftp = running.enter_context(ftp_server(files))
        sftp = running.enter_context(sftp_server(files))
        (home / ".ssh" / "known_hosts").write_text(sftp.known_host())
        for scheme, server in (("ftp", ftp), ("sftp", sftp)):
            rows[scheme] = await row(
                *(server.uri(name) for name in ("a.png", "gone", "big", "slow")),
                server.uri("a.png", host="localhost"),
            )
        for scheme, refused in (
            ("zip", f"zip://a.png::{files}/locked.zip"),
            ("tar", f"tar://link::{files}/a.tar"),
        ):
            place = f"{files}/a.{scheme}"
            rows[scheme] = await row(
                f"{scheme}://a.png::{place}",
                f"{scheme}://gone::{place}",
                f"{scheme}://big::{place}",
                f"{scheme}://a.png::{web.uri('stall')}",
                refused,
            )
    compare("schemes", ["scheme", "works", "missing", "too large", "too slow", "refused"], rows)


async def s3_row(running: AsyncExitStack, patch: pytest.MonkeyPatch) -> list[str]:
    endpoint = running.enter_context(s3_server())
    mute = await running.enter_async_context(silence())
    for name, value in aws_environment(endpoint).items():
        patch.setenv(name, value)
    client = boto3.Session().client("s3")
    client.create_bucket(Bucket="pictures")
    for key, data in (("a.png", BODY), ("big", bytes(3000))):
        client.put_object(Bucket="pictures", Key=key, Body=data)
    client.close()
    uris = [f"s3://pictures/{name}" for name in ("a.png", "gone", "big")]
    cells = await row(*uris, "", uris[0], schemes=without("s3"))
    patch.setenv("AWS_ENDPOINT_URL_S3", mute)
    cells[3] = await outcome(uris[0], **IMPATIENT)
    return cells


# --- modalities ------------------------------------------------------------------------------


GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


def a_pickle() -> bytes:
    out = io.BytesIO()
    np.savez(out, x=np.array([{"a": 1}], dtype=object), n=np.array(7))
    return out.getvalue()


def silent(seconds: int) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(1)
        recording.setframerate(1000)
        recording.writeframes(bytes(1000 * seconds))
    return out.getvalue()


HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "image": ("a PNG of 3.6 gigapixels in 100 bytes", lambda: bombs.png(60_000, 60_000)),
    "text": ("2 MiB without a space", lambda: b"a" * (2 << 20)),
    "audio": ("67 minutes", lambda: silent(4000)),
    "table": ("100,000 brackets", lambda: b"[" * 100_000),
    "tensor": ("a pickle in an .npz", a_pickle),
}


@pytest.mark.filterwarnings("ignore")  # as in a worker: Pillow warns of damage and reads on
def test_the_table_of_modalities_tells_what_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    rows: dict[str, list[str]] = {}
    for kind in KINDS:
        transform = samples.transforms(kind, tmp_path)[0]

        def tried(data: bytes) -> str:
            try:
                arrays = transform(data)  # noqa: B023
            except SiftError as error:
                return cell(error)
            assert arrays.keys() == transform.specs.keys()  # noqa: B023
            return ", ".join(f"`{name}` {spec}" for name, spec in transform.specs.items())  # noqa: B023

        good = samples.good(kind)[0]
        other = silent(1) if kind == "image" else GIF
        what, make = HOSTILE[kind]
        rows[kind] = [tried(good), tried(good[: len(good) // 2]), tried(other), f"{what}: {tried(make())}"]
    compare("modalities", ["transform", "good", "truncated", "wrong type", "hostile"], rows)


# --- the prose -------------------------------------------------------------------------------


NAMES = {*FetchSettings.model_fields} - {"cache"} | {f"cache.{name}" for name in CacheSettings.model_fields}


def test_the_page_names_every_setting_of_fetch_and_no_other() -> None:
    named = set(re.findall(r"`fetch\.([a-z_]+(?:\.[a-z_]+)?)[`:]", PAGE.read_text()))
    assert named == NAMES
