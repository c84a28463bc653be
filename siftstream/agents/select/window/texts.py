"""Ids, URIs and metadata of the rows: Arrow columns that become Python objects when a row is asked for."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from siftstream.schemas import Scores
from siftstream.schemas.columns import Column

JOINED: Final = 1024  # rows of one part, at least, once they are joined
_MAP: Final = pa.map_(pa.string(), pa.string())
_T = TypeVar("_T")
Numbers = NDArray[np.int64]


class Part(NamedTuple):
    """Rows that came one after another; no metadata column where none has any."""

    ids: pa.StringArray
    uris: pa.StringArray
    metadata: pa.MapArray | None


class Texts:
    """The texts of rows by their numbers; four bytes a text beside its UTF-8.

    Records are kept as they came until JOINED rows are together, then copied into one part, so that ids do
    not hold a record's embeddings back.
    """

    def __init__(self) -> None:
        self._starts: list[int] = []  # number of each part's first row
        self._parts: list[Part] = []
        self._loose: list[int] = []  # sizes of the last parts, which are not joined yet

    def add(self, first: int, batch: Scores, rows: slice | Numbers) -> None:
        """Keep the texts of some rows of a batch, the numbers of which begin with `first`."""
        metadata = _cut(_column(batch.metadata, _MAP), rows) if _has_any(batch.metadata) else None
        part = Part(_cut(_column(batch.sample_ids), rows), _cut(_column(batch.uris), rows), metadata)
        self._starts.append(first)
        self._parts.append(part)
        self._loose.append(len(part.ids))
        if sum(self._loose) >= JOINED:
            self._join()

    def drop_before(self, number: int) -> None:
        """Forget parts all of whose rows have smaller numbers."""
        gone = bisect_right(self._starts, number) - 1
        if gone > 0:
            del self._starts[:gone], self._parts[:gone]
            del self._loose[: max(0, len(self._loose) - len(self._parts))]

    def ids(self, numbers: Numbers) -> list[str]:
        """Return the ids of rows."""
        return self._read(numbers, lambda part: part.ids, str)

    def uris(self, numbers: Numbers) -> list[str]:
        """Return the URIs of rows."""
        return self._read(numbers, lambda part: part.uris, str)

    def metadata(self, numbers: Numbers) -> list[dict[str, str]]:
        """Return the metadata of rows, a dict of its own each."""
        return self._read(numbers, lambda part: part.metadata, lambda pairs: dict(pairs or ()))

    def _read(self, numbers: Numbers, column: Callable[[Part], Any], made: Callable[[Any], _T]) -> list[_T]:
        if len(numbers) == 1:
            place = bisect_right(self._starts, int(numbers[0])) - 1
            found = column(self._parts[place])
            row = int(numbers[0]) - self._starts[place]
            return [made(None if found is None else found[row].as_py())]
        out: list[Any] = [None] * len(numbers)
        places = np.searchsorted(np.array(self._starts, np.int64), numbers, "right") - 1
        order = np.argsort(places, kind="stable")
        for some in np.split(order, np.flatnonzero(np.diff(places[order])) + 1) if len(order) else ():
            place = int(places[some[0]])
            found = column(self._parts[place])
            rows = numbers[some] - self._starts[place]
            read = [None] * len(rows) if found is None else found.take(pa.array(rows)).to_pylist()
            for at, value in zip(some.tolist(), read, strict=True):
                out[at] = made(value)
        return out

    def _join(self) -> None:
        first = len(self._parts) - len(self._loose)
        parts = self._parts[first:]
        metadata = None
        if any(part.metadata is not None for part in parts):
            metadata = [pa.nulls(len(p.ids), _MAP) if p.metadata is None else p.metadata for p in parts]
        self._parts[first:] = [
            Part(
                pa.concat_arrays([part.ids for part in parts]),
                pa.concat_arrays([part.uris for part in parts]),
                metadata and cast("pa.MapArray", pa.concat_arrays(metadata)),
            )
        ]
        del self._starts[first + 1 :]
        self._loose.clear()


def _has_any(metadata: Sequence[dict[str, str]]) -> bool:
    return isinstance(metadata, Column) or any(metadata)


def _column(texts: Sequence[Any], kind: Any = None) -> Any:
    if isinstance(texts, Column):
        return texts.arrow
    values = [list(pairs.items()) for pairs in texts] if kind is not None else list(texts)
    return pa.array(values, kind or pa.string())


def _cut(column: Any, rows: slice | Numbers) -> Any:
    if isinstance(rows, slice):
        return column.slice(rows.start, rows.stop - rows.start)
    return column.take(pa.array(rows))
