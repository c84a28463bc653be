"""Every scheme that fsspec has a driver for: gs, az, hf and the rest.

Credentials are found where the driver looks for them. fsspec and its drivers are imported when a
configuration first names one of their schemes.
"""

import importlib.util
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from siftstream.agents.fetch.loaders.base import scheme_of
from siftstream.agents.fetch.loaders.remote import BrokenLine, Found, Place, RemoteLoader
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import ConfigError, LoadError, RefusedError, UnavailableError

EXTRAS: Final = {"gs": "gs", "gcs": "gs", "az": "az", "abfs": "az", "abfss": "az", "hf": "hf"}
PACKAGES: Final = {
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "hf": "huggingface_hub",
    "smb": "smbprotocol",
}
WRAPPING: Final = frozenset(
    {"async_wrapper", "asyncwrapper", "blockcache", "cached", "dir", "filecache", "generic", "reference"}
    | {"libarchive", "simplecache", "tar", "zip"}
)
LOCAL: Final = frozenset(
    {
        "arrow_hdfs",
        "asynclocal",
        "dask",
        "dvc",
        "file",
        "git",
        "jlab",
        "jupyter",
        "local",
        "memory",
        "pyscript",
    }
)
OURS: Final = frozenset({"data", "ftp", "http", "https", "s3", "sftp", "ssh"})
BARRED: Final = WRAPPING | LOCAL | OURS | {"adl"}
"""What wraps other file systems, reaches this machine's own, has a loader of ours, or is no more."""
CHUNK: Final = 8 << 20
_HOST_OPTIONS: Final = frozenset({"host", "url", "base_url", "endpoint", "instance", "uri", "server"})
_TAGS: Final = ("ETag", "etag", "md5Hash", "content_hash", "blob_id", "oid", "generation")
_TIMES: Final = ("mtime", "last_modified", "LastModified", "updated", "modified")


def driver_schemes() -> list[str]:
    """Return the schemes that fsspec knows, installed or not, and that may be used; none without fsspec."""
    if importlib.util.find_spec("fsspec") is None:
        return []
    from fsspec.registry import available_protocols

    return sorted(scheme for scheme in available_protocols() if scheme not in BARRED)


class DriverLoader(RemoteLoader):
    """Loads whole objects through the driver of one scheme; paths stand in the URI as they are."""

    schemes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, settings: FetchSettings, scheme: str) -> None:
        super().__init__(settings)
        self.scheme = scheme
        self._driver = _driver(scheme)
        self._shared: dict[Place, Any] = {}
        self._making = Lock()

    def place_of(self, uri: str) -> tuple[Place, str]:
        """Return the driver's options from the URI, and the path."""
        if "::" in uri:
            raise RefusedError("chained URIs (::) are not loaded")
        if scheme_of(uri) != self.scheme:
            raise RefusedError(f"not a URI of {self.scheme}")
        uri = self.scheme + uri[len(self.scheme) :]
        try:
            options = dict(self._driver._get_kwargs_from_urls(uri))
            path = self._driver._strip_protocol(uri)
        except Exception as error:  # a driver may fail in any way on a URI that is none
            raise LoadError(f"not a URI of {self.scheme} ({type(error).__name__})") from None
        if not isinstance(path, str) or not path.strip("/"):
            raise LoadError(f"such a URI is {self.scheme}://place/path")
        host = urlsplit(uri).hostname or ""
        if options.keys() & _HOST_OPTIONS and host.rstrip(".") not in self.settings.allow_private_addresses:
            raise RefusedError(
                f"{host}: what {self.scheme} connects to cannot be checked;"
                " add the host to fetch.allow_private_addresses if it is meant"
            )
        return Place(host, options=tuple(sorted(options.items()))), path

    def connect(self, place: Place) -> "DriverClient":
        """Make a file system: one for all threads where it is asynchronous inside, else one for each load."""
        with _failures_told(self.settings.chunk_timeout):
            if not getattr(self._driver, "async_impl", False):
                return DriverClient(self._new(place), self.settings, None)
            with self._making:
                system = self._shared.get(place)
                if system is None:
                    system = self._shared[place] = self._new(place)
            return DriverClient(system, self.settings, self.settings.chunk_timeout)

    def _new(self, place: Place) -> Any:
        return self._driver(**dict(place.options), use_listings_cache=False, skip_instance_cache=True)


class DriverClient:
    """A file system of fsspec."""

    aborted = False

    def __init__(self, system: Any, settings: FetchSettings, patience: float | None) -> None:
        self._system, self._seconds = system, settings.chunk_timeout
        self._options = {} if patience is None else {"timeout": patience}

    def find(self, path: str) -> Found:
        """Ask for what the driver knows of the object, now and not when it last listed the folder."""
        with _failures_told(self._seconds):
            self._system.invalidate_cache(path)
            info = self._system.info(path, **self._options)
            if info.get("type") == "directory":
                raise LoadError("is a folder; push its files instead")
            return Found(info.get("size"), _validator(info))

    def read(self, path: str, size: int | None, limit: int) -> bytes:
        """Read piece by piece, so that a server that sends too much is noticed."""
        most = limit + 1 if size is None else size
        pieces: list[bytes] = []
        done = 0
        with _failures_told(self._seconds):
            while done < most:
                end = min(done + CHUNK, most)
                piece = self._system.cat_file(path, start=done, end=end, **self._options)
                if len(piece) > end - done:
                    raise BrokenLine("more came than was asked for")
                if not piece:
                    break
                pieces.append(piece)
                done += len(piece)
        if size is not None and done < size:
            raise BrokenLine("it shrank while it was read, or the transfer broke off")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def abort(self) -> None:
        """Nothing: a driver cannot be woken; its own timeouts end the thread's wait."""

    def close(self) -> None:
        """Nothing: the driver closes what it opened when it is forgotten."""


def _driver(scheme: str) -> Any:
    """Import the driver's class.

    Raises:
        ConfigError: fsspec or the driver is missing, or the scheme is barred or unknown.
    """
    if importlib.util.find_spec("fsspec") is None:
        raise ConfigError(f"fetch.schemes: {scheme!r} needs fsspec: {_remedy(scheme)}")
    from fsspec.implementations.local import LocalFileSystem
    from fsspec.registry import get_filesystem_class

    if scheme in BARRED:
        raise ConfigError(
            f"fetch.schemes: {scheme!r} is not loaded: it wraps other schemes or reaches local data"
        )
    try:
        driver: Any = get_filesystem_class(scheme)
    except (ImportError, AttributeError):
        package = PACKAGES.get(scheme, "its driver")
        raise ConfigError(f"fetch.schemes: {scheme!r} needs {package}: {_remedy(scheme)}") from None
    except ValueError:
        raise ConfigError(f"fetch.schemes: {scheme!r} is unknown to fsspec") from None
    wraps = any(kind.__name__ == "ChainedFileSystem" for kind in driver.__mro__)
    if wraps or issubclass(driver, LocalFileSystem):
        raise ConfigError(
            f"fetch.schemes: {scheme!r} is not loaded: it wraps other schemes or reaches local data"
        )
    return driver


def _remedy(scheme: str) -> str:
    """Return what to install: an extra of ours, else the package that fsspec's registry names."""
    if scheme in EXTRAS:
        return f"pip install 'siftstream[{EXTRAS[scheme]}]'"
    if importlib.util.find_spec("fsspec") is None:
        return "pip install fsspec"
    from fsspec.registry import known_implementations

    known = known_implementations.get(scheme, {})
    package = PACKAGES.get(scheme) or str(known.get("class", "")).partition(".")[0]
    return f"pip install {package}" if package not in ("", "fsspec") else str(known.get("err", ""))


def _validator(info: Mapping[str, Any]) -> str:
    for name in _TAGS:
        if info.get(name):
            return f"etag:{info[name]}"
    return next((f"mtime:{info[name]}:{info.get('size')}" for name in _TIMES if info.get(name)), "")


@contextmanager
def _failures_told(seconds: float) -> Generator[None]:
    """Turn what a driver raises into ours; its text is left out, as it may hold signed addresses."""
    try:
        yield
    except (LoadError, UnavailableError):
        raise
    except FileNotFoundError:
        raise LoadError("no such object") from None
    except PermissionError:
        raise LoadError("no right to read it") from None
    except IsADirectoryError:
        raise LoadError("is a folder; push its files instead") from None
    except TimeoutError:
        raise BrokenLine(f"nothing came for {seconds:g} s (fetch.chunk_timeout)") from None
    except ImportError as error:
        raise LoadError(f"the driver lacks the package {error.name or '(see its documentation)'}") from None
    except Exception as error:  # every driver has a tree of its own
        raise _by_status(error) from None


def _by_status(error: Exception) -> Exception:
    kind = type(error).__name__
    answer = getattr(error, "response", None)
    told = (getattr(of, name, None) for of in (error, answer) for name in ("status_code", "status", "code"))
    status = next((value for value in told if isinstance(value, int)), 0)
    if status in (401, 403) or "Credential" in kind or "Auth" in kind:
        return LoadError(f"no right to read it ({kind})")
    if status in (404, 410) or "NotFound" in kind:
        return LoadError(f"no such object ({kind})")
    if (400 <= status < 500 and status not in (408, 425, 429)) or isinstance(error, ValueError | TypeError):
        return LoadError(f"it cannot be read ({kind})")
    return BrokenLine(f"the transfer broke off ({kind})")
