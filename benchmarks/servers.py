"""Servers for benchmarks, each in a process of its own: files of one folder over HTTP, S3's GET and FTP.

HTTP and S3 are the same few lines on asyncio, quicker than a web framework, so that the client is what is
measured: keep-alive, a Content-Length, an ETag. Signatures are not checked.
"""

import asyncio
import logging
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import unquote

SERVERS = {
    "http": "http://localhost:{port}",
    "s3": "s3://bench",
    "ftp": "ftp://bench:bench@localhost:{port}",
}


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


def serve(name: str, folder: Path, pipe: Connection) -> None:
    """Serve until the process ends; the port goes through the pipe."""
    if name == "ftp":
        _ftp(folder, pipe)
    else:
        asyncio.run(_http(folder, pipe, skip=1 if name == "s3" else 0))


async def _http(folder: Path, pipe: Connection, skip: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Files(folder, skip), "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _ftp(folder: Path, pipe: Connection) -> None:
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.servers import FTPServer

    logging.basicConfig(level=logging.ERROR)  # else it logs every transfer
    authorizer = DummyAuthorizer()
    authorizer.add_user("bench", "bench", str(folder), perm="elr")
    handler: Any = type("Handler", (FTPHandler,), {"authorizer": authorizer})
    server = FTPServer(("127.0.0.1", 0), handler)
    pipe.send(server.socket.getsockname()[1])
    server.serve_forever()
