"""How lists are written: text, CSV or JSON lines, read a line at a time."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import PurePath

from siftstream.connectors.sources.fields import URI_NAMES, Fields, fields_of
from siftstream.schemas.errors import ConfigError, SchemaError

BadLine = Callable[[int, SchemaError], None]
"""Hears of a line by its number; raises to stop there, returns to go on."""


class Format(StrEnum):
    """How a list is written."""

    TEXT = "text"
    CSV = "csv"
    JSONL = "jsonl"


SUFFIXES = {".csv": Format.CSV, ".jsonl": Format.JSONL, ".ndjson": Format.JSONL}


def format_of(name: str) -> Format:
    """Return the format that a file's name tells; text where it tells none.

    >>> format_of("cats.CSV"), format_of("cats.lst")
    (<Format.CSV: 'csv'>, <Format.TEXT: 'text'>)
    """
    return SUFFIXES.get(PurePath(name).suffix.lower(), Format.TEXT)


def read_lines(written: Format, lines: Iterator[str], bad: BadLine) -> Iterator[tuple[int, Fields]]:
    """Yield the number and the fields of each line that names samples; empty lines are left out."""
    return {Format.TEXT: _text, Format.CSV: _csv, Format.JSONL: _jsonl}[written](lines, bad)


def count_lines(written: Format, lines: Iterator[str]) -> Iterator[object]:
    """Yield something for each line that names samples, without a look at what it says."""
    if written is Format.CSV:
        rows = (row for row in csv.reader(lines) if row)
        next(rows, None)
        return rows
    if written is Format.JSONL:
        return (line for line in lines if not line.isspace())
    return (line for line in lines if not _said_nothing(line.lstrip()))


def _said_nothing(line: str) -> bool:
    return not line or line.startswith("# ")


def _text(lines: Iterator[str], bad: BadLine) -> Iterator[tuple[int, Fields]]:
    for number, line in enumerate(lines, start=1):
        word = line.strip()
        if not _said_nothing(word):
            yield number, Fields(word)


def _jsonl(lines: Iterator[str], bad: BadLine) -> Iterator[tuple[int, Fields]]:
    for number, line in enumerate(lines, start=1):
        if not line.isspace():
            try:
                yield number, fields_of(_object(line))
            except SchemaError as error:
                bad(number, error)


def _object(line: str) -> dict[str, object]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        raise SchemaError("not JSON") from None
    if not isinstance(values, dict):
        raise SchemaError('no JSON object; write {"uri": "..."}')
    return values


def _csv(lines: Iterator[str], bad: BadLine) -> Iterator[tuple[int, Fields]]:
    reader = csv.reader(lines)
    names: Sequence[str] = ()
    while True:
        try:
            row = next(reader)
            if row and not names:
                names = _header(row)
            elif row:
                yield reader.line_num, _row(names, row)
        except StopIteration:
            return
        except csv.Error as error:
            bad(reader.line_num, SchemaError(f"not CSV: {error}"))
        except SchemaError as error:
            bad(reader.line_num, error)


def _header(row: Sequence[str]) -> Sequence[str]:
    names = [name.strip() for name in row]
    if not set(URI_NAMES) & set(names):
        raise ConfigError(
            f"the first line of a CSV list names its columns, one of them `uri` or `path`; here it is"
            f" {len(names)} columns without one (--format text reads a plain list)"
        )
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(f"the column {twice[0]!r} of the CSV list stands there twice")
    return names


def _row(names: Sequence[str], row: Sequence[str]) -> Fields:
    if len(row) != len(names):
        raise SchemaError(f"{len(row)} cells where the first line names {len(names)} columns")
    return fields_of(dict(zip(names, row, strict=True)))
