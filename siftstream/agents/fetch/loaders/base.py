"""What every loader is: a scheme or two, and bytes for a URI, or one of three kinds of error."""

import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Protocol, Self

from siftstream.agents.fetch.settings import FetchSettings

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


def scheme_of(uri: str) -> str:
    """Return the scheme in lower case; a bare path is a file.

    >>> scheme_of("HTTPS://host/a"), scheme_of("some/folder/a.png")
    ('https', 'file')
    """
    match = _SCHEME.match(uri)
    return match[1].lower() if match else "file"


@dataclass(frozen=True, slots=True)
class Loaded:
    """An object's bytes, and what its server says of this version of it."""

    data: bytes
    validator: str = ""  # ETag, Last-Modified or the like; empty where the server gives none


class Want(Protocol):
    """What the reader says to a loader besides the URI."""

    @property
    def known(self) -> str:
        """The validator of the copy in the cache, empty where there is none."""
        ...

    def room_for(self, size: int) -> Awaitable[None]:
        """Wait until the worker has memory for `size` more bytes; call it before holding them."""
        ...


class Loader(ABC):
    """Loads whole objects of some schemes; an async context manager between `start` and `close`.

    The reader around it bounds time and concurrency, retries, and caches, so a loader does none of it.
    """

    schemes: ClassVar[tuple[str, ...]]
    cacheable: ClassVar[bool] = True  # false where reading again costs no more than reading the cache

    def __init__(self, settings: FetchSettings) -> None:
        self.settings = settings

    @abstractmethod
    async def load(self, uri: str, want: Want) -> Loaded | None:
        """Return the object, at most `settings.max_bytes`; None if it is still what `want.known` names.

        Every message begins with `redact(uri)` and holds nothing that `redact` hides.

        Raises:
            UnavailableError: it may work later, so the reader tries again (after `retry_after`, where given).
            RefusedError: a guard said no.
            LoadError: it cannot be had, now or later.
        """

    async def start(self) -> None:
        """Open what `load` shares between calls."""
        return

    async def close(self) -> None:
        """Release what `start` opened."""
        return

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class LocalLoader(Loader):
    """A loader that needs no waiting: fetch calls `read` in the very thread that then decodes."""

    cacheable: ClassVar[bool] = False

    @abstractmethod
    def read(self, uri: str) -> bytes:
        """Return the object's bytes, at most `settings.max_bytes`; called from several threads at once.

        Raises:
            RefusedError, LoadError: as `load` says.
        """
