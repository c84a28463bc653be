"""Arrivals: what is in a watched folder or prefix, each file once it is whole."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from siftstream.connectors.sources.base import Bad
from siftstream.connectors.sources.folder import file_uri, files_in
from siftstream.connectors.sources.patterns import Patterns
from siftstream.connectors.sources.s3 import Prefix
from siftstream.connectors.sources.settled import OLD_S, Settling, State, state_of

TEMPORARY = (
    "*.tmp", "*.temp", "*.part", "*.partial", "*.filepart", "*.crdownload", "*.download", "*.swp", "*~",
)  # fmt: skip
"""Names that programs give to what they have not written to its end; the file is renamed when it is whole."""


class Arrived(NamedTuple):
    """Something whole: `version` is another one when its content is, `changed` in seconds since the epoch."""

    uri: str
    version: str
    changed: float


Fresh = Callable[[str], bool]
"""Whether a URI is worth a closer look: it was not sent before."""


class Place(Protocol):
    """A watched folder or prefix."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def there(self, bad: Bad) -> Iterator[Arrived]:
        """Yield all that is there at this moment, whole or not."""
        ...

    def look(self, fresh: Fresh, bad: Bad) -> Iterator[Arrived]:
        """Look through all of it; yield what is whole, and remember what is not yet."""
        ...

    def settled(self) -> Iterator[Arrived]:
        """Yield what has become whole since."""
        ...


@dataclass(frozen=True)
class PrefixPlace:
    """A bucket or prefix: an object appears whole, and only a listing tells of it."""

    prefix: Prefix

    @property
    def name(self) -> str:
        """Its URI."""
        return self.prefix.uri

    def there(self, bad: Bad) -> Iterator[Arrived]:
        """List it."""
        return (Arrived(found.uri, found.etag, found.changed) for found in self.prefix.objects())

    def look(self, fresh: Fresh, bad: Bad) -> Iterator[Arrived]:
        """List it."""
        return self.there(bad)

    def settled(self) -> Iterator[Arrived]:
        """Nothing: each object was whole when it was listed."""
        return iter(())


class FolderPlace:
    """A folder and all below: looked through from time to time, and told of changes in between.

    The looks alone would do; changes that the system tells of only make it quick. So nothing is lost where
    the system tells too little: on network mounts, in folders that were just made, when its queue is full.
    """

    def __init__(
        self, path: str, patterns: Patterns, settle: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Args: the absolute path; what is wanted; seconds of standing still; the clock of the waiting."""
        self.name = path
        self._patterns, self._settle, self._clock = patterns, settle, clock
        self._settling = Settling(settle)
        self._again: deque[tuple[float, str]] = deque()  # new folders, and when they are looked through again

    def __len__(self) -> int:
        """How many files are not settled yet."""
        return len(self._settling)

    def there(self, bad: Bad) -> Iterator[Arrived]:
        """Yield every file, also one that is being written."""
        for path in files_in(self.name, self._patterns, bad):
            state = state_of(path)
            if state is not None:
                yield _arrived(path, state)

    def look(self, fresh: Fresh, bad: Bad) -> Iterator[Arrived]:
        """Look through all of it."""
        for path in files_in(self.name, self._patterns, bad):
            yield from self._see(path, fresh)

    def told(self, path: str, fresh: Fresh, bad: Bad) -> Iterator[Arrived]:
        """Look at a path below that something happened to."""
        below = path[len(self.name.rstrip("/")) + 1 :]
        if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
            # files may be in it since before the system began to tell of it, and more may come meanwhile
            self._again.append((self._clock() + self._settle, path))
            yield from self._look_in(path, fresh, bad)
        elif self._patterns.path(below):
            yield from self._see(path, fresh)

    def settled(self) -> Iterator[Arrived]:
        """Yield what has become whole."""
        for path, state in self._settling.settled(self._clock()):
            yield _arrived(path, state)

    def look_again(self, fresh: Fresh, bad: Bad) -> Iterator[Arrived]:
        """Look through new folders once more, when they have settled."""
        while self._again and self._again[0][0] <= self._clock():
            yield from self._look_in(self._again.popleft()[1], fresh, bad)

    def _look_in(self, folder: str, fresh: Fresh, bad: Bad) -> Iterator[Arrived]:
        below = Below(self._patterns, folder[len(self.name.rstrip("/")) + 1 :])
        if below.wanted:
            for path in files_in(folder, below, bad):
                yield from self._see(path, fresh)

    def _see(self, path: str, fresh: Fresh) -> Iterator[Arrived]:
        if not fresh(file_uri(path)):
            return
        state = state_of(path)
        if state is None:
            return
        if time.time() - state.changed / 1e9 >= max(self._settle, OLD_S):
            yield _arrived(path, state)
        else:
            self._settling.see(path, state, self._clock())


class Below(Patterns):
    """The patterns of a folder, for a walk that begins in one of its folders."""

    def __init__(self, patterns: Patterns, folder: str) -> None:
        super().__init__()
        self._patterns, self._folder = patterns, folder
        self.wanted = not folder or patterns.way(f"{folder}/")

    def file(self, path: str) -> bool:
        """Whether a file is wanted."""
        return self._patterns.file(f"{self._folder}/{path}" if self._folder else path)

    def folder(self, path: str) -> bool:
        """Whether anything in a folder may be wanted."""
        return self._patterns.folder(f"{self._folder}/{path}" if self._folder else path)


def _arrived(path: str, state: State) -> Arrived:
    return Arrived(file_uri(path), state.version, state.changed / 1e9)
