"""What a word names: a URI, a prefix, a file, a folder or a pattern of files."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from siftstream.connectors.sources.base import Bad, Entry, Source, shown
from siftstream.connectors.sources.folder import Folder, file_uri
from siftstream.connectors.sources.patterns import MAGIC, OnlyPath, Patterns
from siftstream.connectors.sources.s3 import Prefix, is_prefix
from siftstream.schemas.errors import LoadError

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # two letters at least: `C:` is a drive
EVERYTHING = Patterns()


@dataclass(frozen=True)
class Single:
    """One URI, as it is."""

    uri: str

    def entries(self, bad: Bad) -> Iterator[Entry]:
        """Yield it."""
        yield Entry(self.uri)

    def tally(self) -> Iterable[object]:
        """One."""
        return (self.uri,)


def source_of(word: str, base: str | None = None, patterns: Patterns = EVERYTHING) -> Source:
    """Return the source that a word names.

    Args:
        word: A URI, `s3://bucket`, `s3://bucket/prefix/`, a file, a folder, or a pattern such as
            `data/**/*.jpg`, which names files only.
        base: The folder that a relative path counts from; none: the working directory.
        patterns: What is wanted of a folder, a prefix or a pattern; a file or URI that is named is wanted.

    Raises:
        LoadError: no such file or folder.

    >>> source_of("https://example.org/2.png")
    Single(uri='https://example.org/2.png')
    """
    if SCHEME.match(word):
        return Prefix(word, patterns) if is_prefix(word) else Single(word)
    path = _absolute(word, base)
    mode = _mode(path)
    if mode is not None:
        return Folder(path, patterns) if stat.S_ISDIR(mode) else Single(file_uri(path))
    if MAGIC.search(word) and (glob := _glob(path, patterns)):
        return glob
    raise LoadError(f"{shown(word)}: no such file or folder, and no URI (a URI has a scheme, as in s3://...)")


def _absolute(word: str, base: str | None) -> str:
    """Return one path for one file, whichever way a word goes there: its URI is the sample's name.

    By `os.path`: a list may have ten million lines, and `Path` takes five times as long.
    """
    path = os.path.join(base or os.getcwd(), os.path.expanduser(word))  # noqa: PTH109, PTH111, PTH118
    if "\0" in path:
        return path
    return os.path.realpath(path) if f"{os.sep}..{os.sep}" in f"{path}{os.sep}" else os.path.normpath(path)


def _mode(path: str) -> int | None:
    try:
        return os.stat(path).st_mode  # noqa: PTH116 (a list may have ten million lines)
    except (OSError, ValueError):
        return None


def _glob(path: str, patterns: Patterns) -> Folder | None:
    """Return the files that a pattern names, below the last folder before its first wildcard."""
    parts = Path(path).parts
    first = 1  # a folder may be called `[old]`: what is there is no wildcard
    while first < len(parts) - 1 and not (
        MAGIC.search(parts[first]) and not Path(*parts[: first + 1]).is_dir()
    ):
        first += 1
    top = str(Path(*parts[:first]))
    pattern = "/".join(parts[first:])
    return Folder(top, OnlyPath(pattern, patterns)) if Path(top).is_dir() else None
