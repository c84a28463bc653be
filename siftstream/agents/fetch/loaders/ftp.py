"""ftp: and ftps: by ftplib: passive mode only, and data connections to the control connection's host only.

`ftps` speaks TLS from the first byte on port 990, its default, and by AUTH TLS on any other port.
"""

import ftplib
import socket
import ssl
from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar, Final

from siftstream.agents.fetch.loaders.addresses import connect_guarded
from siftstream.agents.fetch.loaders.remote import BrokenLine, Found, Place, RemoteLoader, split_uri
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import LoadError, UnavailableError

IMPLICIT_TLS: Final = 990
LONGEST_ANSWER: Final = 200  # lines
CHUNK: Final = 1 << 16


class FtpLoader(RemoteLoader):
    """GETs whole files; the path starts at the login's folder, `//` at the root."""

    schemes: ClassVar[tuple[str, ...]] = ("ftp", "ftps")

    def __init__(self, settings: FetchSettings) -> None:
        super().__init__(settings)
        self.trust: ssl.SSLContext | None = None

    def place_of(self, uri: str) -> tuple[Place, str]:
        """Return host, port and login, and the path."""
        secure = uri[:5].lower() == "ftps:"
        place, path = split_uri(uri, IMPLICIT_TLS if secure else ftplib.FTP_PORT)
        return place._replace(options=(("tls", secure),)), path

    def connect(self, place: Place) -> "FtpClient":
        """Log in."""
        secure = place.options[0][1]
        if secure and self.trust is None:
            self.trust = ssl.create_default_context()
        return FtpClient(place, self.trust if secure else None, self.settings)


class _Control(ftplib.FTP):
    """A control connection over a socket that is already open, with an end to every answer."""

    _lines = 0

    def start(self, name: str, line: socket.socket) -> None:
        """Take the socket over and read the greeting."""
        self.host, self.sock, self.af = name, line, line.family
        self.file = line.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()

    def putline(self, line: str) -> None:
        self._lines = 0
        super().putline(line)

    def getline(self) -> str:
        self._lines += 1
        if self._lines > LONGEST_ANSWER:
            raise ftplib.error_proto("an answer without end")
        return super().getline()


class _SecureControl(_Control, ftplib.FTP_TLS):
    """The same under TLS, whose data connections resume its session, as servers demand."""

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        line, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        control: Any = self.sock
        return self.context.wrap_socket(line, server_hostname=self.host, session=control.session), size


class FtpClient:
    """One logged-in control connection."""

    aborted = False

    def __init__(self, place: Place, trust: ssl.SSLContext | None, settings: FetchSettings) -> None:
        self._settings = settings
        self._data: socket.socket | None = None
        self._control = _SecureControl(context=trust) if trust else _Control()
        self._control.encoding = "utf-8"
        self._control.timeout = settings.chunk_timeout
        with self._failures_told():
            try:
                self._log_in(place, trust, settings.allow_private_addresses)
            except BaseException:
                self._control.close()
                raise

    def _log_in(self, place: Place, trust: ssl.SSLContext | None, allowed: Collection[str]) -> None:
        control = self._control
        line = connect_guarded(place.host, place.port or 0, allowed, self._settings.chunk_timeout)
        control.sock = line  # so that it is closed whatever comes
        if trust and place.port == IMPLICIT_TLS:
            line = trust.wrap_socket(line, server_hostname=place.host)
        control.start(place.host, line)
        control.login(place.user or "anonymous", place.password or ("" if place.user else "anonymous@"))
        if isinstance(control, ftplib.FTP_TLS):
            control.prot_p()
        control.voidcmd("TYPE I")

    def find(self, path: str) -> Found:
        """Ask for the size, and for the time of the last change where a cache needs it."""
        with self._failures_told():
            try:
                size = self._control.size(path)
            except ftplib.error_perm as error:
                if str(error)[:3] not in ("500", "502", "504"):
                    raise
                return Found(None)
            if not self._settings.cache.max_bytes:
                return Found(size)
            try:
                changed = self._control.sendcmd(f"MDTM {path}")[4:24].strip()
            except ftplib.error_perm:
                return Found(size)
            return Found(size, f"mtime:{changed}:{size}")

    def read(self, path: str, size: int | None, limit: int) -> bytes:
        """Transfer the file."""
        with self._failures_told():
            self._data, _ = self._control.ntransfercmd(f"RETR {path}")
            try:
                data = _all_of(self._data, limit if size is None else size)
            finally:
                self._data.close()
                self._data = None
            if size is not None and len(data) > size:
                raise BrokenLine("it grew while it was read")
            if len(data) <= limit:
                self._control.voidresp()
            if size is not None and len(data) < size:
                raise BrokenLine("the transfer broke off")
            return data

    def abort(self) -> None:
        """Wake the thread that waits for the server."""
        for line in (self._data, self._control.sock):
            if line is not None:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close without a word: QUIT would wait for its answer."""
        self._control.close()

    @contextmanager
    def _failures_told(self) -> Generator[None]:
        try:
            yield
        except ftplib.error_perm as error:
            raise _refused(str(error)[:3]) from None
        except ftplib.error_temp as error:
            code = str(error)[:3]
            kind = BrokenLine if code in ("421", "425", "426") else UnavailableError
            raise kind(f"the server says {code}") from None
        except (ftplib.error_reply, ftplib.error_proto, UnicodeError):
            raise BrokenLine("the server does not answer as FTP says") from None
        except TimeoutError:
            raise BrokenLine(
                f"nothing came for {self._settings.chunk_timeout:g} s (fetch.chunk_timeout)"
            ) from None
        except ssl.SSLCertVerificationError:
            raise LoadError("no trusted TLS connection (its certificate does not hold)") from None
        except (OSError, EOFError) as error:
            raise BrokenLine(f"the transfer broke off ({type(error).__name__})") from None


def _refused(code: str) -> LoadError:
    if code == "530":
        return LoadError("the server refuses the login (530)")
    if code == "550":
        return LoadError("no such file, or no right to read it (550)")
    return LoadError(f"the server says {code}")


def _all_of(line: socket.socket, most: int) -> bytes:
    """Read to the end, or to the first byte past `most`."""
    chunks: list[bytes] = []
    size = 0
    while size <= most and (chunk := line.recv(min(CHUNK, most + 1 - size))):
        chunks.append(chunk)
        size += len(chunk)
    if isinstance(line, ssl.SSLSocket) and size <= most:
        with suppress(OSError):
            line.unwrap()
    return b"".join(chunks)
