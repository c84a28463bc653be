"""ftp, ftps, sftp and fsspec's drivers: against real servers, and one driver in use over real HTTP."""

import asyncio
import gc
import importlib.util
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from siftstream.agents.fetch.loaders.addresses import connect_guarded
from siftstream.agents.fetch.loaders.base import Loaded, Loader
from siftstream.agents.fetch.loaders.drivers import BARRED, DriverLoader
from siftstream.agents.fetch.loaders.ftp import FtpLoader
from siftstream.agents.fetch.loaders.registry import BUILT_IN, loader_schemes, make_loaders
from siftstream.agents.fetch.loaders.sftp import SftpLoader
from siftstream.agents.fetch.settings import CacheSettings, FetchSettings
from siftstream.schemas.errors import ConfigError, LoadError, RefusedError, UnavailableError
from tests.agents.fetch.servers import (
    PASSWORD,
    SECRET,
    Ftp,
    Sftp,
    Wanted,
    ftp_server,
    self_signed,
    sftp_server,
    trusting,
)

HERE = {"allow_private_addresses": ["127.0.0.1"], "max_bytes": 1_000_000}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = tmp_path / "files"
    (files / "sub").mkdir(parents=True)
    (files / "a.png").write_bytes(b"meow")
    (files / "sub" / "é b#c?d.png").write_bytes(b"purr")
    (files / "empty").write_bytes(b"")
    (files / "big").write_bytes(os.urandom(300_000))
    (files / "slow").write_bytes(b"x" * 1000)
    return files


@pytest.fixture(params=["ftp", "ftps", "sftp"])
def server(request: pytest.FixtureRequest, folder: Path, tmp_path: Path) -> Iterator[Ftp | Sftp]:
    with ExitStack() as stack:
        if request.param == "sftp":
            yield stack.enter_context(known_sftp(folder, tmp_path))
        else:
            certificate = self_signed(tmp_path) if request.param == "ftps" else None
            yield stack.enter_context(ftp_server(folder, certificate))


def known_sftp(folder: Path, home: Path) -> Any:
    from contextlib import contextmanager

    @contextmanager
    def serve() -> Iterator[Sftp]:
        with sftp_server(folder) as sftp, pytest.MonkeyPatch.context() as patch:
            (home / ".ssh").mkdir()
            (home / ".ssh" / "known_hosts").write_text(sftp.known_host() + sftp.known_host("localhost"))
            patch.setenv("HOME", str(home))
            patch.delenv("SSH_AUTH_SOCK", raising=False)
            yield sftp

    return serve()


@pytest.fixture
def ftp(folder: Path) -> Iterator[Ftp]:
    with ftp_server(folder) as running:
        yield running


@pytest.fixture
def open_loader(tmp_path: Path) -> Callable[..., Loader]:
    def opens(server: Ftp | Sftp, **settings: Any) -> Loader:
        limits = FetchSettings.model_validate({**HERE, **settings})
        if isinstance(server, Sftp):
            return SftpLoader(limits)
        loader = FtpLoader(limits)
        if server.scheme == "ftps":
            loader.trust = trusting(tmp_path / "localhost.pem")
        return loader

    return opens


Open = Callable[..., Loader]


async def test_files_are_loaded_whole(server: Ftp | Sftp, folder: Path, open_loader: Open) -> None:
    async with open_loader(server) as loader:
        for path, uri in [
            ("a.png", "a.png"),
            ("empty", "empty"),
            ("big", "big"),
            ("sub/é b#c?d.png", "sub/%C3%A9%20b%23c%3Fd.png"),
        ]:
            want = Wanted()
            loaded = await loader.load(server.uri(uri), want)
            assert loaded is not None
            assert loaded.data == (folder / path).read_bytes()
            assert want.asked == [len(loaded.data)]


async def test_a_copy_that_still_holds_is_not_sent_again(
    server: Ftp | Sftp, folder: Path, open_loader: Open
) -> None:
    async with open_loader(server) as loader:
        loaded = await loader.load(server.uri("a.png"), Wanted())
        assert loaded is not None
        assert loaded.validator.startswith("mtime:")
        assert await loader.load(server.uri("a.png"), Wanted(loaded.validator)) is None
        (folder / "a.png").write_bytes(b"hiss!")
        newer = await loader.load(server.uri("a.png"), Wanted(loaded.validator))
        assert newer is not None
        assert newer.data == b"hiss!"


@pytest.mark.parametrize(
    ("path", "words"),
    [("gone.png", "no such file"), ("sub/gone/a", "no such file"), ("sub", "no such file|cannot be read")],
)
async def test_what_is_not_there_is_said(
    server: Ftp | Sftp, path: str, words: str, open_loader: Open
) -> None:
    async with open_loader(server) as loader:
        with pytest.raises(LoadError, match=words) as caught:
            await loader.load(server.uri(path), Wanted())
        assert PASSWORD not in str(caught.value)
        assert (await loader.load(server.uri("a.png"), Wanted()) or Loaded(b"")).data == b"meow"


async def test_a_file_too_large_is_refused_before_it_is_sent(server: Ftp | Sftp, open_loader: Open) -> None:
    want = Wanted()
    async with open_loader(server, max_bytes=1000) as loader:
        with pytest.raises(RefusedError, match=r"/big: larger than fetch\.max_bytes \(1,000 bytes\)"):
            await loader.load(server.uri("big"), want)
        assert (await loader.load(server.uri("a.png"), want) or Loaded(b"")).data == b"meow"
    assert want.asked == [4]


async def test_silence_ends_after_the_chunk_timeout(server: Ftp | Sftp, open_loader: Open) -> None:
    async with open_loader(server, chunk_timeout=0.5) as loader:
        with pytest.raises(UnavailableError, match=r"/slow: nothing came for 0\.5 s"):
            await loader.load(server.uri("slow"), Wanted())
        assert (await loader.load(server.uri("a.png"), Wanted()) or Loaded(b"")).data == b"meow"


async def test_a_cancelled_load_ends_at_once_and_leaves_no_thread_waiting(
    server: Ftp | Sftp, open_loader: Open
) -> None:
    async with open_loader(server, chunk_timeout=60) as loader:
        assert await loader.load(server.uri("a.png"), Wanted())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await loader.load(server.uri("slow"), Wanted())
        async with asyncio.timeout(10):
            assert await loader.load(server.uri("a.png"), Wanted())
            await loader.close()


@pytest.mark.parametrize("login", ["ann:wrong@", f"bob:{SECRET}@"])
async def test_a_refused_login_is_final_and_names_no_password(
    server: Ftp | Sftp, login: str, open_loader: Open
) -> None:
    async with open_loader(server) as loader:
        with pytest.raises(LoadError, match="refuses the login") as caught:
            await loader.load(server.uri("a.png", login), Wanted())
        assert "wrong" not in str(caught.value)
        assert SECRET not in str(caught.value)


async def test_loads_share_a_connection_and_one_dropped_between_two_is_replaced(
    server: Ftp | Sftp, open_loader: Open
) -> None:
    sessions: list[Any] = server.transports if isinstance(server, Sftp) else server.sessions
    async with open_loader(server) as loader:
        for _ in range(3):
            assert await loader.load(server.uri("a.png"), Wanted())
        assert len(sessions) == 1
        await asyncio.to_thread(server.drop_all)
        assert (await loader.load(server.uri("a.png"), Wanted()) or Loaded(b"")).data == b"meow"
        assert len(sessions) == 2


async def test_no_more_connections_to_a_host_than_allowed(server: Ftp | Sftp, open_loader: Open) -> None:
    sessions: list[Any] = server.transports if isinstance(server, Sftp) else server.sessions
    async with open_loader(server, per_host=2) as loader:
        loaded = await asyncio.gather(*(loader.load(server.uri("a.png"), Wanted()) for _ in range(12)))
    assert {item.data for item in loaded if item} == {b"meow"}
    assert len(sessions) <= 2


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "127.1", "[::1]", "169.254.169.254"]
)
async def test_an_address_inside_is_refused_unless_it_is_allowed_by_name(
    server: Ftp | Sftp, host: str, open_loader: Open
) -> None:
    async with open_loader(server, allow_private_addresses=["files.example"]) as loader:
        with pytest.raises(RefusedError, match=r"allow_private_addresses|written in full"):
            await loader.load(server.uri("a.png", host=host), Wanted())
    async with open_loader(server, allow_private_addresses=["LocalHost"]) as loader:
        assert await loader.load(server.uri("a.png", host="LOCALHOST"), Wanted())


async def test_a_closed_port_and_an_unknown_host(server: Ftp | Sftp, open_loader: Open) -> None:
    uri = server.uri("a.png")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        async with open_loader(server) as loader:
            with pytest.raises(UnavailableError, match="no connection: Connection refused"):
                await loader.load(uri.replace(f":{server.port}/", f":{port}/"), Wanted())
            with pytest.raises((LoadError, UnavailableError), match="cannot be resolved"):
                await loader.load(uri.replace("127.0.0.1", "no-such-host.invalid"), Wanted())


@pytest.mark.parametrize(
    "uri", ["{}://", "{}:///a", "{}://h", "{}://h/", "{}://h:x/a", "{}://h/a?b", "{}://h/a%0d%0aDELE%20b"]
)
async def test_what_is_no_uri_is_refused_unasked(server: Ftp | Sftp, uri: str, open_loader: Open) -> None:
    async with open_loader(server) as loader:
        with pytest.raises(LoadError, match=r"host/path|not a usable|%3F|line break"):
            await loader.load(uri.format(server.uri("").partition(":")[0]), Wanted())


# --- FTP alone -------------------------------------------------------------------------------


async def test_without_a_login_the_user_is_anonymous(ftp: Ftp, open_loader: Open) -> None:
    async with open_loader(ftp) as loader:
        assert await loader.load(ftp.uri("a.png", login=""), Wanted())
    assert "USER anonymous" in ftp.commands


async def test_without_a_cache_the_time_of_change_is_not_asked_for(ftp: Ftp, open_loader: Open) -> None:
    async with open_loader(ftp, cache=CacheSettings(max_bytes=0)) as loader:
        assert await loader.load(ftp.uri("a.png"), Wanted()) == Loaded(b"meow")
    assert not [line for line in ftp.commands if line.startswith("MDTM")]


@pytest.mark.parametrize("answer", ["227 Entering Passive Mode (10,0,0,1,0,9)", "500 no"])
async def test_a_data_connection_never_leads_to_another_host(
    ftp: Ftp, answer: str, monkeypatch: pytest.MonkeyPatch, open_loader: Open
) -> None:
    reached: list[Any] = []
    connect = socket.create_connection

    def note(address: Any, *rest: Any, **options: Any) -> socket.socket:
        reached.append(address[0])
        return connect(address, *rest, **options)

    monkeypatch.setattr(socket, "create_connection", note)
    ftp.lies["PASV"] = answer
    async with open_loader(ftp) as loader:
        with pytest.raises((UnavailableError, LoadError)):
            await loader.load(ftp.uri("a.png"), Wanted())
    assert set(reached) == {"127.0.0.1"}
    assert not [line for line in ftp.commands if line.startswith(("PORT", "EPRT"))]


@pytest.mark.parametrize(
    ("command", "answer", "kind", "words"),
    [
        ("SIZE", "450 busy", UnavailableError, "says 450"),
        ("RETR", "421 closing", UnavailableError, "says 421"),
        ("RETR", "451 local error", UnavailableError, "says 451"),
        ("RETR", f"552 {SECRET}", LoadError, "says 552"),
        ("RETR", f"550 {SECRET}", LoadError, "no such file"),
        ("SIZE", "hello", UnavailableError, "not answer as FTP says"),
        ("SIZE", "213-1\r\n" + "more\r\n" * 300 + "213 end", UnavailableError, "not answer as FTP says"),
    ],
)
async def test_an_answer_is_lasting_or_passing(
    ftp: Ftp, command: str, answer: str, kind: type[Exception], words: str, open_loader: Open
) -> None:
    ftp.lies[command] = answer
    async with open_loader(ftp) as loader:
        with pytest.raises(kind, match=words) as caught:
            await loader.load(ftp.uri("a.png"), Wanted())
        assert SECRET not in str(caught.value)
        ftp.lies.clear()
        assert (await loader.load(ftp.uri("a.png"), Wanted()) or Loaded(b"")).data == b"meow"


async def test_a_server_that_tells_no_size_is_read_up_to_the_limit(ftp: Ftp, open_loader: Open) -> None:
    ftp.lies["SIZE"] = "502 not implemented"
    want = Wanted()
    async with open_loader(ftp, max_bytes=1000) as loader:
        assert await loader.load(ftp.uri("a.png"), want) == Loaded(b"meow")
        with pytest.raises(RefusedError, match="larger"):
            await loader.load(ftp.uri("big"), want)
    assert want.asked == [1000, 1000]


@pytest.mark.parametrize("size", [2, 1000])
async def test_a_server_that_lies_about_the_size_is_not_believed(
    ftp: Ftp, size: int, open_loader: Open
) -> None:
    ftp.lies["SIZE"] = f"213 {size}"
    async with open_loader(ftp) as loader:
        with pytest.raises(UnavailableError, match=r"grew|broke off"):
            await loader.load(ftp.uri("a.png"), Wanted())


async def test_a_certificate_that_does_not_hold_is_refused(
    folder: Path, tmp_path: Path, open_loader: Open
) -> None:
    with ftp_server(folder, self_signed(tmp_path)) as server:
        async with FtpLoader(FetchSettings.model_validate(HERE)) as loader:
            with pytest.raises(LoadError, match="certificate does not hold"):
                await loader.load(server.uri("a.png"), Wanted())
        assert not [line for line in server.commands if line.startswith(("USER", "PASS"))]


# --- SFTP alone ------------------------------------------------------------------------------


async def test_a_host_that_is_not_known_or_has_another_key_gets_no_password(
    folder: Path, tmp_path: Path, open_loader: Open
) -> None:
    with known_sftp(folder, tmp_path) as sftp:
        known = tmp_path / ".ssh" / "known_hosts"
        true = known.read_text()
        known.write_text("")
        async with open_loader(sftp) as loader:
            with pytest.raises(RefusedError, match=r"not in ~/\.ssh/known_hosts; add it with ssh-keyscan"):
                await loader.load(sftp.uri("a.png"), Wanted())
        with sftp_server(folder) as other:
            known.write_text(true.replace(sftp.host_key.get_base64(), other.host_key.get_base64()))
        async with open_loader(sftp) as loader:
            with pytest.raises(RefusedError, match="not the one in"):
                await loader.load(sftp.uri("a.png"), Wanted())


# --- fsspec's drivers ------------------------------------------------------------------------


def test_every_scheme_is_listed_and_none_that_reaches_local_things() -> None:
    schemes = loader_schemes()
    assert {"ftp", "ftps", "sftp", "gs", "az", "abfs", "hf", "smb", "webhdfs"} <= set(schemes)
    assert not (BARRED - BUILT_IN.keys()) & set(schemes)


@pytest.mark.parametrize(
    "scheme",
    sorted(s for s in BARRED - BUILT_IN.keys() if "_" not in s),
)
def test_what_wraps_or_reaches_local_things_is_refused_at_start(scheme: str) -> None:
    with pytest.raises(ConfigError, match="wraps other schemes or reaches local data"):
        make_loaders(FetchSettings(schemes=(scheme,)))


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        ("gs", r"'gs' needs gcsfs: pip install 'siftstream\[gs\]'"),
        ("az", r"'az' needs adlfs: pip install 'siftstream\[az\]'"),
        ("abfs", r"'abfs' needs adlfs: pip install 'siftstream\[az\]'"),
        ("smb", "'smb' needs smbprotocol: pip install smbprotocol"),
        ("box", "'box' needs its driver: pip install boxfs"),
    ],
)
def test_a_missing_driver_names_what_to_install(scheme: str, words: str) -> None:
    if importlib.util.find_spec({"gs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}.get(scheme, "smbprotocol")):
        pytest.skip("the driver is here")
    with pytest.raises(ConfigError, match=words):
        make_loaders(FetchSettings(schemes=(scheme,)))


def test_a_missing_paramiko_or_fsspec_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"'sftp' needs paramiko: pip install 'siftstream\[sftp\]'"):
        make_loaders(FetchSettings(schemes=("sftp",)))
    with pytest.raises(ConfigError, match=r"'gs' needs fsspec: pip install 'siftstream\[gs\]'"):
        DriverLoader(FetchSettings(), "gs")


def test_an_unknown_scheme_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'gopher' has no loader; known: file, http.* webhdfs"):
        make_loaders(FetchSettings(schemes=("gopher",)))


FILES = {"a.png": b"meow", "big": b"x" * 20_000_000}


@pytest.fixture
async def namenode(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The REST API of HDFS, as far as fsspec's own driver uses it to look up and read a file."""
    pytest.importorskip("requests")

    async def answer(request: web.Request) -> web.StreamResponse:
        name = request.match_info["path"]
        if name == "locked":
            return web.json_response({"RemoteException": {"message": SECRET}}, status=403)
        if name == "broken":
            return web.json_response({"RemoteException": {"message": SECRET}}, status=500)
        if name not in FILES:
            return web.json_response({"RemoteException": {"message": SECRET}}, status=404)
        if request.query["op"].upper() == "GETFILESTATUS":
            told = {"length": len(FILES[name]), "type": "FILE", "modificationTime": 17, "pathSuffix": ""}
            return web.json_response({"FileStatus": told})
        start = int(request.query.get("offset", 0))
        return web.Response(body=FILES[name][start : start + int(request.query["length"])])

    app = web.Application()
    app.add_routes([web.get("/webhdfs/v1/{path:.*}", answer)])
    async with TestServer(app, shutdown_timeout=0) as server:
        yield f"webhdfs://127.0.0.1:{server.port}/"
    gc.collect()


async def test_a_driver_of_fsspec_loads_whole_objects(namenode: str) -> None:
    limits = FetchSettings.model_validate({**HERE, "max_bytes": 30_000_000})
    async with DriverLoader(limits, "webhdfs") as loader:
        for name, data in FILES.items():
            loaded = await loader.load(f"{namenode}{name}", Wanted())
            assert loaded is not None
            assert loaded.data == data


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("gone", LoadError, "no such object"),
        ("locked", LoadError, "no right to read it"),
        ("broken", (LoadError, UnavailableError), "broke off|cannot be read"),
        ("big", RefusedError, "larger"),
    ],
)
async def test_what_a_driver_raises_is_said_in_our_words(
    namenode: str, name: str, kind: Any, words: str
) -> None:
    async with DriverLoader(FetchSettings.model_validate(HERE), "webhdfs") as loader:
        with pytest.raises(kind, match=words) as caught:
            await loader.load(f"{namenode}{name}", Wanted())
        assert SECRET not in str(caught.value)


async def test_a_driver_that_connects_where_its_uri_says_needs_the_host_by_name(namenode: str) -> None:
    async with DriverLoader(FetchSettings(), "webhdfs") as loader:
        with pytest.raises(RefusedError, match="what webhdfs connects to cannot be checked"):
            await loader.load(f"{namenode}a.png", Wanted())


@pytest.mark.parametrize("uri", ["webhdfs::file:///etc/passwd", "webhdfs://h/a::file:///etc/passwd"])
async def test_chained_uris_are_refused(uri: str) -> None:
    async with DriverLoader(FetchSettings(), "webhdfs") as loader:
        with pytest.raises(RefusedError, match="chained"):
            await loader.load(uri, Wanted())


def test_the_address_that_was_checked_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that answers with a public address first gets no second question."""
    asked: list[str] = []
    reached: list[Any] = []

    def resolve(host: str, port: int, **rest: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", port))]

    def connect(address: Any, timeout: float) -> Any:
        reached.append(address)
        raise OSError(113, "No route to host")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(UnavailableError, match="no connection: No route"):
        connect_guarded("evil.example", 21, frozenset(), 1.0)
    assert asked == ["evil.example"]
    assert reached == [("93.184.215.14", 21)]


def test_the_loaders_start_no_thread_before_the_first_load() -> None:
    before = threading.active_count()
    make_loaders(FetchSettings(schemes=("ftp", "sftp", "webhdfs")))
    assert threading.active_count() == before
