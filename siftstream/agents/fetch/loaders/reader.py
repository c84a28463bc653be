"""The reader: any allowed URI to bytes, with bounded concurrency, one deadline and well-placed retries."""

import asyncio
import re
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self
from weakref import WeakValueDictionary

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential, wait_random

from siftstream.agents.fetch.loaders.base import Loader, scheme_of
from siftstream.agents.fetch.loaders.redact import redact
from siftstream.agents.fetch.loaders.registry import make_loaders
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import LoadError, RefusedError, UnavailableError

_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")


class Reader:
    """Reads URIs as `FetchSettings` say; an async context manager.

    A read waits for a place at its host, then for one in the worker; only then its deadline runs, so a slow
    host fills its own places and delays nobody else.
    """

    def __init__(self, settings: FetchSettings, loaders: dict[str, Loader] | None = None) -> None:
        self.settings = settings
        self._loaders = make_loaders(settings) if loaders is None else loaders
        self._places = asyncio.Semaphore(settings.in_flight)
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

    async def read(self, uri: str) -> bytes:
        """Return the bytes behind `uri`.

        Raises:
            RefusedError: its scheme, place, address or size is not allowed.
            LoadError: it cannot be had, or not within the attempts and seconds allowed.
        """
        scheme = scheme_of(uri)
        loader = self._loaders.get(scheme)
        if loader is None:
            raise RefusedError(
                f"{redact(uri)}: scheme {scheme!r} is not in fetch.schemes ({', '.join(self._loaders)})"
            )
        async with self._host(scheme, uri), self._places:
            try:
                async with asyncio.timeout(self.settings.timeout):
                    return await self._with_retries(loader, uri)
            except TimeoutError:
                raise LoadError(
                    f"{redact(uri)}: not loaded within {self.settings.timeout:g} s (fetch.timeout)"
                ) from None

    async def _with_retries(self, loader: Loader, uri: str) -> bytes:
        settings = self.settings
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(UnavailableError),
            stop=stop_after_attempt(settings.attempts),
            wait=wait_exponential(settings.backoff, settings.backoff_max) + wait_random(0, settings.backoff),
            reraise=True,
        )
        try:
            return await retrying(loader.load, uri)
        except UnavailableError as error:
            tries = "attempt" if settings.attempts == 1 else "attempts"
            raise LoadError(f"{error}; gave up after {settings.attempts} {tries}") from None

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
