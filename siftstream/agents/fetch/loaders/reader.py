"""The reader: any allowed URI to bytes: bounded concurrency and memory, one deadline, retries, a cache."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Self
from weakref import WeakValueDictionary

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential, wait_random

from siftstream.agents.fetch.loaders.archive import ArchiveLoader
from siftstream.agents.fetch.loaders.base import Loaded, Loader, LocalLoader, scheme_of
from siftstream.agents.fetch.loaders.cache import Cache, Kept
from siftstream.agents.fetch.loaders.redact import redact
from siftstream.agents.fetch.loaders.registry import make_loaders
from siftstream.agents.fetch.loaders.room import Room, Ticket
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import LoadError, RefusedError, UnavailableError

_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")


def _uncounted(name: str, number: int) -> None:
    del name, number


class Reader:
    """Reads URIs as `FetchSettings` say; an async context manager.

    A read waits for a place at its host, then for one in the worker; only then its deadline runs, so a slow
    host fills its own places and delays nobody else.
    """

    def __init__(
        self,
        settings: FetchSettings,
        cache: Cache | None = None,
        *,
        loaders: dict[str, Loader] | None = None,
        count: Callable[[str, int], None] = _uncounted,
    ) -> None:
        """Args: limits; where copies are kept, if anywhere; loaders by scheme; what counts events by name."""
        self.settings = settings
        self._cache = cache
        self._count = count
        self._loaders = make_loaders(settings) if loaders is None else loaders
        for loader in self._loaders.values():
            if isinstance(loader, ArchiveLoader):
                loader.load_inner_by(self.read)
        self._places = asyncio.Semaphore(settings.in_flight)
        self._room = Room(settings.in_flight_bytes)
        self._hosts: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as starting:
            for loader in dict.fromkeys(self._loaders.values()):
                await starting.enter_async_context(loader)
            self._running = starting.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()

    def local(self, uri: str) -> LocalLoader | None:
        """Return the loader of a URI that any thread may read without waiting, None for all others."""
        loader = self._loaders.get(uri[: uri.find(":")]) or self._loaders.get(scheme_of(uri))
        return loader if isinstance(loader, LocalLoader) else None

    @asynccontextmanager
    async def reading(self, uri: str) -> AsyncGenerator[bytes, None]:
        """Hold the bytes behind `uri`; what memory they take counts until the block ends.

        Raises:
            RefusedError: its scheme, place, address or size is not allowed.
            LoadError: it cannot be had, or not within the attempts and seconds allowed.
        """
        with self._room.ticket() as ticket:
            yield await self._read(uri, ticket)

    async def read(self, uri: str) -> bytes:
        """Return the bytes behind `uri`; raises as `reading` does."""
        async with self.reading(uri) as data:
            return data

    async def _read(self, uri: str, ticket: Ticket) -> bytes:
        scheme = scheme_of(uri)
        loader = self._loaders.get(scheme)
        if loader is None:
            raise RefusedError(
                f"{redact(uri)}: scheme {scheme!r} is not in fetch.schemes ({', '.join(self._loaders)})"
            )
        if isinstance(loader, ArchiveLoader):  # what it loads the archive by has place, deadline and retries
            return (await loader.load(uri, ticket)).data
        kept = await self._kept(uri) if loader.cacheable else None
        if kept is not None:
            await ticket.room_for(len(kept.data))
            if time.time() - kept.stored <= self.settings.cache.fresh:
                self._count("cache_hits", 1)
                return kept.data
            ticket.known = kept.validator
        async with self._host(scheme, uri), self._places:
            try:
                async with asyncio.timeout(self.settings.timeout) as ticket.deadline:
                    loaded = await self._with_retries(loader, uri, ticket)
            except TimeoutError:
                raise LoadError(
                    f"{redact(uri)}: not loaded within {self.settings.timeout:g} s (fetch.timeout)"
                ) from None
        return await self._chosen(uri, loader, kept, loaded)

    async def _kept(self, uri: str) -> Kept | None:
        return await asyncio.to_thread(self._cache.get, uri) if self._cache else None

    async def _chosen(self, uri: str, loader: Loader, kept: Kept | None, loaded: Loaded | None) -> bytes:
        """Return the bytes loaded, or those kept where the server says that they still hold."""
        if loaded is None:
            if kept is None or self._cache is None:
                raise LoadError(f"{redact(uri)}: the server says that nothing changed, unasked")
            self._count("cache_renewals", 1)
            await asyncio.to_thread(self._cache.renew, uri)
            return kept.data
        if self._cache and loader.cacheable:
            self._count("cache_misses", 1)
            await asyncio.to_thread(self._cache.put, uri, loaded.data, loaded.validator)
        return loaded.data

    async def _with_retries(self, loader: Loader, uri: str, ticket: Ticket) -> Loaded | None:
        """Try once; only then set up what trying again needs."""
        try:
            return await loader.load(uri, ticket)
        except UnavailableError as error:
            first = error
        tries = iter([first])

        async def load() -> Loaded | None:
            for failed in tries:
                raise failed
            return await loader.load(uri, ticket)

        try:
            return await self._retrying()(load)
        except UnavailableError as error:
            attempts = self.settings.attempts
            words = "attempt" if attempts == 1 else "attempts"
            raise LoadError(f"{error}; gave up after {attempts} {words}") from None

    def _retrying(self) -> AsyncRetrying:
        settings = self.settings
        backoff = wait_exponential(settings.backoff, settings.backoff_max) + wait_random(0, settings.backoff)

        def wait(state: Any) -> float:
            asked = getattr(state.outcome.exception(), "retry_after", None)
            self._count("retries", 1)
            return backoff(state) if asked is None else max(0.0, asked)

        return AsyncRetrying(
            retry=retry_if_exception_type(UnavailableError),
            stop=stop_after_attempt(settings.attempts),
            wait=wait,
            reraise=True,
        )

    def _host(self, scheme: str, uri: str) -> asyncio.Semaphore:
        """Return the places at the URI's host; local reads have one to themselves."""
        match = None if scheme in ("file", "data") else _AUTHORITY.match(uri)
        if match is None:
            return asyncio.Semaphore(1)
        name = f"{scheme}://{match[1].rpartition('@')[2].lower()}"
        places = self._hosts.get(name)
        if places is None:
            places = self._hosts[name] = asyncio.Semaphore(self.settings.per_host)
        return places
