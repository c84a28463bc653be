"""A web server in a thread, for worker processes: some paths answer only when they are let go."""

import threading
from collections import Counter
from collections.abc import Collection, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class TinyServer:
    """Serves bytes by path on `localhost`; what is not there is a 404."""

    def __init__(self, files: Mapping[str, bytes], held: Collection[str] = ()) -> None:
        self.asked: Counter[str] = Counter()
        self._gate = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(files, held))
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def url(self) -> str:
        return f"http://localhost:{self._server.server_address[1]}"

    def let_go(self) -> None:
        """Answer what was held."""
        self._gate.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self, files: Mapping[str, bytes], held: Collection[str]) -> Any:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                outer.asked[path] += 1
                if path in held:
                    outer._gate.wait(60)
                body = files.get(path)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                try:
                    self.wfile.write(body or b"")
                except OSError:  # the worker that asked was killed
                    self.close_connection = True

            def log_message(self, *args: Any) -> None:
                return

        return Handler
