"""Folders: every file below, as `file:` URIs, never more than a lot of names held at once."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final
from urllib.parse import quote_from_bytes

from siftstream.connectors.sources.base import Bad, Entry
from siftstream.connectors.sources.patterns import Patterns
from siftstream.schemas.errors import LoadError

LOT: Final = 100_000  # names of one folder that are held, and sorted, at once


@dataclass(frozen=True)
class Folder:
    """All files below a folder that the patterns let through, hidden ones left out; links to folders too."""

    path: str
    patterns: Patterns = field(default_factory=Patterns)

    def entries(self, bad: Bad) -> Iterator[Entry]:
        """Yield an entry a file."""
        for path in files_in(self.path, self.patterns, bad):
            yield Entry(file_uri(path))

    def tally(self) -> Iterable[object]:
        """The same files, without a word about what cannot be read."""
        return files_in(self.path, self.patterns, lambda _: None)


def files_in(folder: str, patterns: Patterns, bad: Bad) -> Iterator[str]:
    """Yield the path of every wanted file below: a folder's files by name, then its folders'.

    Args:
        folder: Where to begin, an absolute path.
        patterns: Which files are wanted.
        bad: Hears of each folder that cannot be read.
    """
    waiting = [folder]
    start = len(folder.rstrip("/")) + 1
    while waiting:
        now = waiting.pop()
        deeper: list[str] = []
        try:
            with os.scandir(now) as found:
                while lot := sorted(islice(found, LOT), key=lambda entry: entry.name):
                    for entry in lot:
                        if entry.is_dir(follow_symlinks=False):
                            if patterns.folder(entry.path[start:]):
                                deeper.append(entry.path)
                        elif patterns.file(entry.path[start:]) and entry.is_file():
                            yield entry.path
        except OSError as error:
            bad(LoadError(f"{now}: cannot be read: {error.strerror}; nothing in it was pushed"))
        waiting += sorted(deeper, reverse=True)


def file_uri(path: str) -> str:
    """Return the URI of an absolute path.

    >>> file_uri("/data/my cat.png")
    'file:///data/my%20cat.png'
    """
    return "file://" + quote_from_bytes(os.fsencode(path))
