"""Servers for benchmarks, each in a process of its own: files of one folder over HTTP, S3's GET and FTP.

HTTP and S3 are the same few lines on asyncio, quicker than a web framework, so that the client is what is
measured: keep-alive, a Content-Length, an ETag. Signatures are not checked.
"""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from siftstream.bench.failed import BenchFailed
from siftstream.streams.lifeline import end_with_parent

SERVERS = {
    "http": "http://localhost:{port}",
    "s3": "s3://bench",
    "ftp": "ftp://bench:bench@localhost:{port}",
}


SETTINGS = {
    "schemes": ("file", *SERVERS), "allow_private_addresses": ("localhost", "127.0.0.1"),
    "cache": {"max_bytes": 0},
}  # fmt: skip
"""What fetch must be told to read from them."""


def environment(ports: dict[str, int]) -> dict[str, str]:
    """Return what fetch's environment needs to find the bucket."""
    return {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{ports['s3']}",
        "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_REGION": "us-east-1",
    }  # fmt: skip


@contextmanager
def serving(folder: Path) -> Generator[dict[str, int]]:
    """Run each server as a process of its own for as long as the block lasts; give their ports.

    Raises:
        BenchFailed: one did not start.
    """
    ports: dict[str, int] = {}
    with ExitStack() as started:
        for name in SERVERS:
            command = [sys.executable, "-m", "siftstream.bench.servers", name, str(folder)]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            started.callback(_end, child)
            assert child.stdout is not None
            port = child.stdout.readline()
            if not port:
                raise BenchFailed(f"the {name} server ended as it started, with exit code {child.wait()}")
            ports[name] = int(port)
        yield ports


def _end(child: "subprocess.Popen[str]") -> None:
    assert child.stdin is not None
    assert child.stdout is not None
    child.terminate()
    child.wait()
    child.stdin.close()
    child.stdout.close()


class Pipe(Protocol):
    """Where a server tells its port."""

    def send(self, obj: int) -> None:
        """Tell it."""
        ...


class Output:
    """Standard output as a pipe."""

    def send(self, obj: int) -> None:
        """Write a line."""
        sys.stdout.write(f"{obj}\n")
        sys.stdout.flush()


class Files(asyncio.Protocol):
    """Answers each GET with a file of the folder."""

    def __init__(self, folder: Path, skip: int) -> None:
        self._folder, self._skip, self._rest = folder, skip, b""

    def connection_made(self, transport: Any) -> None:
        """Keep the connection."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self._rest += data
        while b"\r\n\r\n" in self._rest:
            head, self._rest = self._rest.split(b"\r\n\r\n", 1)
            path = unquote(head.split(b" ", 2)[1].decode().partition("?")[0])
            parts = path.strip("/").split("/")[self._skip :]
            try:
                body = self._folder.joinpath(*parts).read_bytes()
                start = f'HTTP/1.1 200 OK\r\nETag: "{len(body)}"\r\n'
            except OSError:
                body, start = b"", "HTTP/1.1 404 Not Found\r\n"
            self._transport.write(f"{start}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def serve(name: str, folder: Path, pipe: Pipe) -> None:
    """Serve until the process ends; the port goes through the pipe."""
    if name == "ftp":
        _ftp(folder, pipe)
    else:
        asyncio.run(_http(folder, pipe, skip=1 if name == "s3" else 0))


async def _http(folder: Path, pipe: Pipe, skip: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Files(folder, skip), "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _ftp(folder: Path, pipe: Pipe) -> None:
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.servers import FTPServer

    logging.basicConfig(level=logging.ERROR)  # else it logs every transfer
    authorizer = DummyAuthorizer()
    authorizer.add_user("bench", "bench", str(folder), perm="elr")
    handler: Any = type("Handler", (FTPHandler,), {"authorizer": authorizer})
    server: Any = FTPServer(("127.0.0.1", 0), handler)
    pipe.send(server.socket.getsockname()[1])
    server.serve_forever()


if __name__ == "__main__":
    end_with_parent()
    serve(sys.argv[1], Path(sys.argv[2]), Output())
