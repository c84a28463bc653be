"""sftp: by paramiko, to hosts that `~/.ssh/known_hosts` knows, with a password, key file or agent."""

import importlib.util
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

from siftstream.agents.fetch.loaders.addresses import connect_guarded
from siftstream.agents.fetch.loaders.remote import BrokenLine, Found, Place, RemoteLoader, split_uri
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import ConfigError, LoadError, RefusedError

ONE_READ: Final = 1 << 15  # what SFTP gives in one answer; more is asked for ahead


class SftpLoader(RemoteLoader):
    """GETs whole files; the path starts at the root, `/~/` at the login's folder."""

    schemes: ClassVar[tuple[str, ...]] = ("sftp",)

    def __init__(self, settings: FetchSettings) -> None:
        super().__init__(settings)
        if importlib.util.find_spec("paramiko") is None:
            raise ConfigError("fetch.schemes: 'sftp' needs paramiko: pip install 'siftstream[sftp]'")

    def place_of(self, uri: str) -> tuple[Place, str]:
        """Return host, port and login, and the path."""
        place, path = split_uri(uri, 22)
        return place, path[2:] if path.startswith("~/") else f"/{path}"

    def connect(self, place: Place) -> "SftpClient":
        """Log in."""
        return SftpClient(place, self.settings)


class SftpClient:
    """One SSH connection with its SFTP channel."""

    aborted = False

    def __init__(self, place: Place, settings: FetchSettings) -> None:
        import paramiko

        class Unknown(paramiko.MissingHostKeyPolicy):
            def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
                raise RefusedError(
                    "the host's key is not in ~/.ssh/known_hosts; add it with ssh-keyscan if it is meant"
                )

        self._seconds = seconds = settings.chunk_timeout
        self._files: Any = None
        self._ssh = paramiko.SSHClient()
        self._ssh.load_system_host_keys()
        self._ssh.set_missing_host_key_policy(Unknown())
        with self._failures_told():
            line = connect_guarded(place.host, place.port or 22, settings.allow_private_addresses, seconds)
            try:
                self._log_in(place, line)
            except BaseException:
                self._ssh.close()
                line.close()
                raise

    def _log_in(self, place: Place, line: socket.socket) -> None:
        self._ssh.connect(
            place.host,
            place.port or 22,
            place.user or None,
            place.password or None,
            sock=line,
            timeout=self._seconds,
            banner_timeout=self._seconds,
            auth_timeout=self._seconds,
            channel_timeout=self._seconds,
            look_for_keys=not place.password,
            allow_agent=not place.password,
        )
        self._files = self._ssh.open_sftp()
        self._files.get_channel().settimeout(self._seconds)

    def find(self, path: str) -> Found:
        """Ask for size and time of the last change."""
        with self._failures_told():
            told = self._files.stat(path)
            return Found(told.st_size, f"mtime:{told.st_mtime}:{told.st_size}")

    def read(self, path: str, size: int | None, limit: int) -> bytes:
        """Read the file."""
        with self._failures_told(), self._files.open(path, "rb", bufsize=0) as file:
            most = limit + 1 if size is None else size
            if size and size > ONE_READ:
                file.prefetch(size)
            data = file.read(most)
        if size is not None and len(data) < size:
            raise BrokenLine("it shrank while it was read")
        return data

    def abort(self) -> None:
        """Wake the thread that waits for the server."""
        self._ssh.close()

    def close(self) -> None:
        """Close the connection."""
        self._ssh.close()

    @contextmanager
    def _failures_told(self) -> Generator[None]:
        import paramiko

        try:
            yield
        except paramiko.AuthenticationException:
            raise LoadError("the server refuses the login") from None
        except paramiko.BadHostKeyException:
            raise RefusedError("the host's key is not the one in ~/.ssh/known_hosts") from None
        except FileNotFoundError:
            raise LoadError("no such file") from None
        except PermissionError:
            raise LoadError("no right to read it") from None
        except TimeoutError:
            raise BrokenLine(f"nothing came for {self._seconds:g} s (fetch.chunk_timeout)") from None
        except (paramiko.SSHException, EOFError, ConnectionError) as error:
            raise BrokenLine(f"the transfer broke off ({type(error).__name__})") from None
        except OSError as error:
            kind = LoadError if self._alive() else BrokenLine
            raise kind(f"it cannot be read ({error.strerror or 'failure'})") from None

    def _alive(self) -> bool:
        transport = self._ssh.get_transport()
        return transport is not None and transport.is_active()
