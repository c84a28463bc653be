"""What every loader is: a scheme or two, and bytes for a URI, or one of two kinds of error."""

import re
from abc import ABC, abstractmethod
from types import TracebackType
from typing import ClassVar, Self

from siftstream.agents.fetch.settings import FetchSettings

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


def scheme_of(uri: str) -> str:
    """Return the scheme in lower case; a bare path is a file.

    >>> scheme_of("HTTPS://host/a"), scheme_of("some/folder/a.png")
    ('https', 'file')
    """
    match = _SCHEME.match(uri)
    return match[1].lower() if match else "file"


class Loader(ABC):
    """Loads whole objects of some schemes; an async context manager between `start` and `close`.

    The reader around it bounds time and concurrency and retries, so a loader does neither.
    """

    schemes: ClassVar[tuple[str, ...]]

    def __init__(self, settings: FetchSettings) -> None:
        self.settings = settings

    @abstractmethod
    async def load(self, uri: str) -> bytes:
        """Return the object's bytes, at most `settings.max_bytes`.

        Every message begins with `redact(uri)` and holds nothing that `redact` hides.

        Raises:
            UnavailableError: it may work later, so the reader tries again.
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
