"""Real servers on loopback for the tests of fetch: web, S3, FTP(S) and SFTP, in good and bad moods.

Each is a context manager that closes what it opened::

    async with web_server() as web:
        await loader.load(web.uri("ok"), want)
    with ftp_server(folder) as ftp:
        await loader.load(ftp.uri("a.png"), want)
"""

import asyncio
import gzip
import itertools
import os
import socket
import ssl
import threading
import warnings
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import paramiko
from aiohttp import web
from aiohttp.test_utils import TestServer

BODY = b"0123456789" * 100
SECRET = "s3cr3tT0ken"
USER, PASSWORD = "ann", "s3cr3tT0ken"


class Wanted:
    """What the reader says to a loader: the copy it has, and a count of the memory asked for."""

    def __init__(self, known: str = "") -> None:
        self.known = known
        self.asked: list[int] = []

    async def room_for(self, size: int) -> None:
        self.asked.append(size)


# --- the web ---------------------------------------------------------------------------------


@dataclass
class Web:
    """A web server's pages by name, and what it saw."""

    server: TestServer
    requests: list[web.BaseRequest] = field(default_factory=list[web.BaseRequest])
    peers: set[Any] = field(default_factory=set[Any])  # connections, by the client's port
    counts: Counter[str] = field(default_factory=Counter[str])
    hold: asyncio.Event = field(default_factory=asyncio.Event)  # `delayed` answers once it is set

    def uri(self, page: str = "", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.server.port}/{page}"


async def ok(request: web.Request) -> web.Response:
    return web.Response(body=BODY)


async def echo(request: web.Request) -> web.Response:
    return web.json_response({"raw": request.raw_path, "auth": request.headers.get("Authorization")})


async def status(request: web.Request) -> web.Response:
    return web.Response(status=int(request.match_info["code"]), text=SECRET)


async def redirect(request: web.Request) -> web.Response:
    raise web.HTTPFound(request.query["to"])


async def around(request: web.Request) -> web.Response:
    left = int(request.match_info["left"])
    raise web.HTTPFound(f"/around/{left - 1}" if left else "/ok")


async def delayed(request: web.Request) -> web.Response:
    """Answers when the test sets `Web.hold`."""
    await request.app[WEB].hold.wait()
    return web.Response(body=BODY)


async def stall(request: web.Request) -> web.StreamResponse:
    """Sends one byte of a thousand and then nothing more."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"x")
    await asyncio.Event().wait()
    return response


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        while True:
            await response.write(b"x" * 65536)
    except ConnectionError:
        return response


async def drop(request: web.Request) -> web.StreamResponse:
    """Closes the line in the middle of the body."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"x" * 500)
    assert request.transport is not None
    request.transport.close()
    return response


async def hang_up(request: web.Request) -> web.StreamResponse:
    """Closes the line instead of answering."""
    assert request.transport is not None
    request.transport.close()
    return web.StreamResponse()


async def claims(request: web.Request) -> web.StreamResponse:
    """Promises a terabyte and sends a byte."""
    response = web.StreamResponse(headers={"Content-Length": "999999999999"})
    await response.prepare(request)
    await response.write(b"x")
    return response


async def understates(request: web.Request) -> web.StreamResponse:
    """Says ten bytes and sends a thousand, which look like the answer to the next request."""
    assert request.transport is not None
    forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
    request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + BODY[:10] + forged * 20)
    await asyncio.Event().wait()
    return web.StreamResponse()


async def squeezed(request: web.Request) -> web.Response:
    """A million bytes in a thousand."""
    return web.Response(body=gzip.compress(b"\0" * 1_000_000), headers={"Content-Encoding": "gzip"})


async def zipped(request: web.Request) -> web.Response:
    return web.Response(body=gzip.compress(BODY), headers={"Content-Encoding": "gzip"})


async def encoded(request: web.Request) -> web.Response:
    return web.Response(body=BODY, headers={"Content-Encoding": request.match_info["how"]})


async def bomb(request: web.Request) -> web.StreamResponse:
    """Ten gigabytes of zeros in ten megabytes of gzip."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    packer.compress(b"")
    block = packer.compress(b"\0" * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(b"\0" * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    response = web.StreamResponse(headers={"Content-Encoding": "gzip"})
    await response.prepare(request)
    with suppress(ConnectionError):
        await response.write(head + block)
        for _ in range(100):
            await response.write(again * 100)
    return response


async def flaky(request: web.Request) -> web.Response:
    """Fails with 500 as often as the path says, then answers."""
    seen = request.app[WEB].counts[request.path] = request.app[WEB].counts[request.path] + 1
    if seen <= int(request.match_info["times"]):
        return web.Response(status=500)
    return web.Response(body=BODY)


async def limited(request: web.Request) -> web.Response:
    """429 with `Retry-After` as the query says; `in` seconds from now as a date."""
    value = request.query.get("after", "")
    if "in" in request.query:
        value = format_datetime(datetime.now(UTC) + timedelta(seconds=int(request.query["in"])), usegmt=True)
    return web.Response(status=429, headers={"Retry-After": value})


async def tagged(request: web.Request) -> web.Response:
    if request.headers.get("If-None-Match") == '"one"':
        return web.Response(status=304)
    return web.Response(body=BODY, headers={"ETag": '"one"', "Last-Modified": DATE})


async def dated(request: web.Request) -> web.Response:
    if request.headers.get("If-Modified-Since") == DATE:
        return web.Response(status=304)
    return web.Response(body=BODY, headers={"Last-Modified": DATE})


DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
PAGES = (
    *(ok, redirect, delayed, stall, endless, drop, hang_up, claims, understates),
    *(squeezed, zipped, bomb, limited, tagged, dated),
)
WEB: web.AppKey[Web] = web.AppKey("web", Web)


@asynccontextmanager
async def web_server() -> AsyncIterator[Web]:
    """Serve the pages above; `/flaky/2`, `/status/503`, `/around/3`, `/encoded/br` and `/echo/...` too."""
    app = web.Application()
    app.add_routes([web.get(f"/{page.__name__}", page) for page in PAGES])
    app.add_routes(
        [
            web.get("/echo/{tail:.*}", echo),
            web.get("/status/{code}", status),
            web.get("/around/{left}", around),
            web.get("/encoded/{how}", encoded),
            web.get("/flaky/{times}", flaky),
        ]
    )
    server = TestServer(app, shutdown_timeout=0)
    seen = app[WEB] = Web(server)

    @web.middleware
    async def note(request: web.Request, handler: Any) -> web.StreamResponse:
        seen.requests.append(request)
        assert request.transport is not None
        seen.peers.add(request.transport.get_extra_info("peername"))
        return await handler(request)

    app.middlewares.append(note)
    async with server:
        yield seen


# --- S3 --------------------------------------------------------------------------------------


@contextmanager
def s3_server() -> Iterator[str]:
    """Serve the S3 API of moto; gives its URL, which `aws_environment` makes the tools find."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()
        server._server.server_close()


def aws_environment(endpoint: str, secret: str = "test") -> dict[str, str]:
    """Return the environment variables that lead AWS tools to `endpoint`, and nowhere else."""
    return {
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_CONFIG_FILE": "/nonexistent",
    }


# --- FTP -------------------------------------------------------------------------------------


@dataclass
class Ftp:
    """An FTP server over a folder, and what it saw."""

    scheme: str
    port: int
    sessions: list[Any] = field(default_factory=list[Any])  # control connections ever opened
    commands: list[str] = field(default_factory=list[str])
    lies: dict[str, str] = field(default_factory=dict[str, str])  # answers given instead, by command
    _call: Callable[[Callable[[], None]], None] = lambda act: None

    def uri(self, path: str, login: str = f"{USER}:{PASSWORD}@", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{login}{host}:{self.port}/{path}"

    def drop_all(self) -> None:
        """Close every control connection, as an idle timeout or a restart does."""
        gone = threading.Event()

        def act() -> None:
            for session in self.sessions:
                session.close()
            gone.set()

        self._call(act)
        assert gone.wait(5)


@contextmanager
def ftp_server(root: Path, certificate: Path | None = None) -> Iterator[Ftp]:
    """Serve `root` to ann, and to anonymous; over explicit TLS where a certificate is given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of asyncore, which it stands on
        from pyftpdlib import handlers
        from pyftpdlib.authorizers import DummyAuthorizer
        from pyftpdlib.ioloop import IOLoop
        from pyftpdlib.servers import FTPServer

    base: Any = handlers.TLS_FTPHandler if certificate else handlers.FTPHandler
    authorizer = DummyAuthorizer()
    authorizer.add_user(USER, PASSWORD, str(root), perm="elr")
    authorizer.add_anonymous(str(root))
    seen = Ftp("ftps" if certificate else "ftp", 0)

    class Stalling(base.dtp_handler):
        """Sends nothing of a file named `slow`."""

        def push_with_producer(self, producer: Any) -> None:
            if not producer.file.name.endswith("slow"):
                super().push_with_producer(producer)

    class Handler(base):
        dtp_handler = Stalling

        def on_connect(self) -> None:
            seen.sessions.append(self)

        def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
            seen.commands.append(f"{cmd} {arg}".strip())
            if cmd in seen.lies:
                self.respond(seen.lies[cmd])
            else:
                super().pre_process_command(line, cmd, arg)

    Handler.authorizer = authorizer
    Handler.auth_failed_timeout = 0
    if certificate:
        Handler.certfile = str(certificate)
        Handler.tls_control_required = Handler.tls_data_required = True
    loop = IOLoop()
    server = FTPServer(("127.0.0.1", 0), Handler, ioloop=loop)
    seen.port = server.address[1]
    waiting: list[Callable[[], None]] = []
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            loop.loop(timeout=0.01, blocking=False)
            while waiting:
                waiting.pop()()
        server.close_all()

    seen._call = waiting.append
    thread = threading.Thread(target=serve, name="ftp server")
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def self_signed(folder: Path, name: str = "localhost") -> Path:
    """Write a certificate and its key for `name` and 127.0.0.1 into one PEM file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


# --- SFTP ------------------------------------------------------------------------------------


@dataclass
class Sftp:
    """An SFTP server over a folder, and what it saw."""

    port: int
    host_key: paramiko.PKey
    transports: list[paramiko.Transport] = field(default_factory=list[paramiko.Transport])

    def uri(self, path: str, login: str = f"{USER}:{PASSWORD}@", host: str = "127.0.0.1") -> str:
        return f"sftp://{login}{host}:{self.port}/{path}"

    def known_host(self, host: str = "127.0.0.1") -> str:
        """Return the line that makes the server known to SSH clients."""
        return f"[{host}]:{self.port} {self.host_key.get_name()} {self.host_key.get_base64()}\n"

    def drop_all(self) -> None:
        """Close every connection."""
        for transport in self.transports:
            transport.close()


class _Login(paramiko.ServerInterface):
    def check_auth_password(self, username: str, password: str) -> int:
        good = (username, password) == (USER, PASSWORD)
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def get_allowed_auths(self, username: str) -> str:
        return "password"


class _Files(paramiko.SFTPServerInterface):
    """The files of a folder; one named `slow` is never sent."""

    def __init__(self, server: Any, root: Path, ended: threading.Event) -> None:
        super().__init__(server)
        self._root, self._ended = root, ended

    def _at(self, path: str) -> Path:
        return self._root / path.lstrip("/")

    def stat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(self._at(path).stat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def open(self, path: str, flags: int, attr: Any) -> Any:
        try:
            readable = self._at(path).open("rb")
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        handle = (_Slow if path.endswith("slow") else paramiko.SFTPHandle)(flags)
        handle.readfile = readable
        if isinstance(handle, _Slow):
            handle.ended = self._ended
        return handle


class _Slow(paramiko.SFTPHandle):
    ended: threading.Event

    def read(self, offset: int, length: int) -> Any:
        self.ended.wait()
        return paramiko.SFTP_EOF


@contextmanager
def sftp_server(root: Path) -> Iterator[Sftp]:
    """Serve `root` to ann."""
    listener = socket.create_server(("127.0.0.1", 0))
    key = paramiko.RSAKey.generate(2048)
    seen = Sftp(listener.getsockname()[1], key)
    ended = threading.Event()

    def accept() -> None:
        for _ in itertools.count():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(client)
            transport.daemon = True
            transport.add_server_key(key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, root, ended)
            seen.transports.append(transport)
            with suppress(paramiko.SSHException, EOFError):
                transport.start_server(event=threading.Event(), server=_Login())

    thread = threading.Thread(target=accept, name="sftp server")
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        seen.drop_all()
        for transport in seen.transports:
            transport.join(5)


def trusting(certificate: Path) -> ssl.SSLContext:
    """Return a TLS context that trusts one certificate only."""
    return ssl.create_default_context(cafile=os.fspath(certificate))
