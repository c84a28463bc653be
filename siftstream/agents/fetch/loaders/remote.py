"""Loaders over blocking clients (FTP, SFTP, fsspec's drivers): threads, and connections that are used again.

Each step of a load (connect, look, read) runs in a thread and ends before the next begins; between them the
loop checks the size and waits for memory. A cancelled load cuts its connection, so that its thread wakes.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import unquote, urlsplit
from weakref import WeakValueDictionary

from siftstream.agents.fetch.loaders.base import Loaded, Loader, Want
from siftstream.agents.fetch.loaders.redact import redact
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import LoadError, RefusedError, SiftError, UnavailableError

Result = TypeVar("Result")


class BrokenLine(UnavailableError):
    """The connection is of no more use; the object may be had over another one."""


class Found(NamedTuple):
    """What a server says of an object before it is read."""

    size: int | None
    validator: str = ""


class Place(NamedTuple):
    """Where a connection leads, and as whom: equal places share connections."""

    host: str
    port: int | None = None
    user: str = ""
    password: str = ""
    options: tuple[tuple[str, Any], ...] = ()


class Client(Protocol):
    """One connection, used by one thread at a time.

    Its errors are ours, without the URI. After one that is no `BrokenLine` the connection is still good.
    """

    aborted: bool

    def find(self, path: str) -> Found:
        """Look the object up."""
        ...

    def read(self, path: str, size: int | None, limit: int) -> bytes:
        """Return the object: `size` bytes where that is known, else all, but at most `limit` + 1."""
        ...

    def abort(self) -> None:
        """Cut the connection from another thread, to wake the one that waits for it."""
        ...

    def close(self) -> None:
        """Close the connection without waiting."""
        ...


class RemoteLoader(Loader):
    """Loads over at most `per_host` connections a host; those not in use wait for the next load."""

    def __init__(self, settings: FetchSettings) -> None:
        super().__init__(settings)
        self._idle: dict[Client, Place] = {}  # the longest idle first
        self._hosts: WeakValueDictionary[tuple[str, int | None], asyncio.Semaphore] = WeakValueDictionary()
        self._threads: ThreadPoolExecutor | None = None

    @abstractmethod
    def place_of(self, uri: str) -> tuple[Place, str]:
        """Return where the object is, and its path there; raises LoadError or RefusedError."""

    @abstractmethod
    def connect(self, place: Place) -> Client:
        """Open a connection, in a thread; raises as a client does."""

    async def start(self) -> None:
        """Make the threads' pool; they start with the loads."""
        name = f"fetch-{type(self).__name__.removesuffix('Loader').lower()}"
        self._threads = ThreadPoolExecutor(self.settings.in_flight, thread_name_prefix=name)

    async def close(self) -> None:
        """Close the connections and end the threads."""
        while self._idle:
            self._idle.popitem()[0].close()
        if self._threads:
            await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)

    async def load(self, uri: str, want: Want) -> Loaded | None:
        """Load over an idle connection, and if that has broken meanwhile, once more over a new one."""
        try:
            place, path = self.place_of(uri)
            async with self._host(place):
                client = self._take_idle(place)
                if client is not None:
                    try:
                        return await self._load_over(client, place, path, want)
                    except BrokenLine:
                        pass
                client = await self._step(None, self.connect, place)
                return await self._load_over(client, place, path, want)
        except UnavailableError as error:
            raise UnavailableError(f"{redact(uri)}: {error}", retry_after=error.retry_after) from None
        except SiftError as error:
            raise type(error)(f"{redact(uri)}: {error}") from None

    async def _load_over(self, client: Client, place: Place, path: str, want: Want) -> Loaded | None:
        limit = self.settings.max_bytes
        try:
            size, validator = await self._step(client, client.find, path)
            if validator and validator == want.known:
                self._put_idle(client, place)
                return None
            if size is None or size <= limit:
                await want.room_for(limit if size is None else size)
                data = await self._step(client, client.read, path, size, limit)
                if len(data) <= limit:
                    self._put_idle(client, place)
                    return Loaded(data, validator)
        except asyncio.CancelledError:  # in a step: the thread closes; between two: there is none
            if not client.aborted:
                client.close()
            raise
        except (LoadError, UnavailableError) as error:
            if isinstance(error, BrokenLine):
                client.close()
            else:
                self._put_idle(client, place)
            raise
        client.close()  # it may be in the middle of a transfer
        raise RefusedError(f"larger than fetch.max_bytes ({limit:,} bytes)")

    async def _step(self, client: Client | None, call: Callable[..., Result], *args: Any) -> Result:
        """Run one blocking step; if the load is cancelled meanwhile, whatever the step holds is closed."""
        assert self._threads is not None
        job = self._threads.submit(call, *args)
        try:
            return await asyncio.wrap_future(job)
        except asyncio.CancelledError:
            if client is None:
                job.add_done_callback(_close_result)
            else:
                client.aborted = True
                client.abort()
                job.add_done_callback(lambda _: client.close())
            raise

    def _host(self, place: Place) -> asyncio.Semaphore:
        name = place.host, place.port
        places = self._hosts.get(name)
        if places is None:
            places = self._hosts[name] = asyncio.Semaphore(self.settings.per_host)
        return places

    def _take_idle(self, place: Place) -> Client | None:
        client = next((client for client, there in reversed(self._idle.items()) if there == place), None)
        if client is not None:
            del self._idle[client]
        return client

    def _put_idle(self, client: Client, place: Place) -> None:
        self._idle[client] = place
        if len(self._idle) > self.settings.in_flight:
            oldest = next(iter(self._idle))
            del self._idle[oldest]
            oldest.close()


def _close_result(job: "Future[Any]") -> None:
    if not job.cancelled() and job.exception() is None:
        job.result().close()


def split_uri(uri: str, port: int) -> tuple[Place, str]:
    """Return place and path of `scheme://user:password@host:port/path`, percent signs decoded.

    >>> split_uri("ftp://ann:pw@files.example/a%20b.png", 21)
    (Place(host='files.example', port=21, user='ann', password='pw', options=()), 'a b.png')

    Raises:
        LoadError: it is none.
    """
    try:
        parts = urlsplit(uri)
        place = Place(
            (parts.hostname or "").rstrip("."),
            parts.port or port,
            unquote(parts.username or ""),
            unquote(parts.password or ""),
        )
    except ValueError:
        raise LoadError("not a usable URI") from None
    if not place.host or len(parts.path) < 2:
        raise LoadError(f"such a URI is {parts.scheme}://host/path")
    if parts.query or parts.fragment:
        raise LoadError("a ? or # in the path is written %3F or %23")
    path = unquote(parts.path[1:], errors="surrogateescape")
    if any(c in "\r\n\0" for c in path + place.user + place.password):
        raise LoadError("a line break or zero byte in the path or login")
    return place, path
