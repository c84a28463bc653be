"""Lists: a file or standard input that names a sample a line, read as it is pushed."""

import stat
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Final, TextIO

from siftstream.connectors.sources.base import Bad, Entry
from siftstream.connectors.sources.fields import Fields
from siftstream.connectors.sources.formats import Format, count_lines, format_of, read_lines
from siftstream.connectors.sources.named import EVERYTHING, Single, source_of
from siftstream.connectors.sources.patterns import Patterns
from siftstream.schemas.errors import ConfigError, LoadError, SchemaError, SiftError

LONGEST: Final = 1 << 20  # characters of a line
ENCODING: Final = "utf-8-sig"
ERRORS: Final = "surrogateescape"  # names of files need not be UTF-8: they go through as they came


@dataclass(frozen=True)
class List:
    """A list: its name for messages, how it is written, and the folder that its relative paths count from."""

    name: str
    written: Format
    base: str | None
    patterns: Patterns = EVERYTHING
    file: Path | None = None  # none: standard input

    def entries(self, bad: Bad) -> Iterator[Entry]:
        """Yield an entry a line, or several for a line that names a folder or a prefix."""

        def bad_line(number: int, error: SiftError) -> None:
            bad(type(error)(f"{self.name}, line {number}: {error}"))

        with self._open() as file, self._named():
            for number, fields in read_lines(self.written, bounded(file), bad_line):
                try:
                    yield from self._of_line(fields, f"{self.name}, line {number}: ", bad)
                except (LoadError, SchemaError) as error:
                    bad_line(number, error)

    @contextmanager
    def _named(self) -> Generator[None]:
        try:
            yield
        except ConfigError as error:
            raise ConfigError(f"{self.name}: {error}") from error

    def _of_line(self, fields: Fields, where: str, bad: Bad) -> Iterator[Entry]:
        source = source_of(fields.word, self.base, self.patterns)
        if isinstance(source, Single):
            yield Entry(source.uri, fields.sample_id, fields.event_time, fields.metadata, where)
            return
        if fields.sample_id:
            raise SchemaError("a sample_id names one file or URI, not a folder, prefix or pattern")
        for entry in source.entries(bad):
            yield Entry(entry.uri, "", fields.event_time, fields.metadata, where)

    def tally(self) -> Iterable[object] | None:
        """The lines of a file; standard input and pipes can be read only once."""
        if self.file is None or not stat.S_ISREG(self.file.stat().st_mode):
            return None
        return self._lines()

    def _lines(self) -> Iterator[object]:
        with self._open() as file:
            yield from count_lines(self.written, bounded(file))

    @contextmanager
    def _open(self) -> Generator[TextIO]:
        if self.file is None:
            with standard_input() as file:
                yield file
            return
        try:
            file = self.file.open(encoding=ENCODING, errors=ERRORS, newline="")
        except OSError as error:
            raise LoadError(f"{self.name}: cannot be read: {error.strerror}") from None
        with file:
            yield file


def list_of(
    file: Path | None,
    written: Format | None = None,
    base: Path | None = None,
    patterns: Patterns = EVERYTHING,
) -> List:
    """Return the list in a file, or on standard input where there is none.

    Args:
        file: The file.
        written: Its format; none: what its suffix tells, else text.
        base: What relative paths count from; none: the file's folder, the working directory for stdin.
        patterns: What is wanted of a folder or prefix that a line names.

    Raises:
        LoadError: no such file.
    """
    if file is None:
        return List("stdin", written or Format.TEXT, str(base) if base else None, patterns)
    file = file.expanduser()
    if not file.exists() or file.is_dir():
        raise LoadError(f"{file}: no such list{' (it is a folder)' if file.is_dir() else ''}")
    folder = base or file.absolute().parent
    return List(str(file), written or format_of(file.name), str(folder), patterns, file)


@contextmanager
def standard_input() -> Generator[TextIO]:
    """Standard input as text, left open."""
    binary = getattr(sys.stdin, "buffer", None)
    if binary is None:
        yield sys.stdin
        return
    text = TextIOWrapper(binary, encoding=ENCODING, errors=ERRORS, newline="")
    try:
        yield text
    finally:
        text.detach()


def bounded(file: TextIO) -> Iterator[str]:
    """Yield the lines of a file.

    Raises:
        ConfigError: a line without end, as in a file that is no list.
    """
    read: Callable[[], str] = partial(file.readline, LONGEST)
    for number, line in enumerate(iter(read, ""), start=1):
        if len(line) == LONGEST:
            raise ConfigError(f"line {number} is longer than {LONGEST:,} characters: is this a list?")
        yield line
