"""A queue of rows of numbers in flat arrays: eight bytes a number and no object a row."""

from array import array
from typing import Any, Final

SLACK: Final = 1024  # rows that were taken away, at least, before the others move up


class Fifo:
    """Rows that come at the back and go at either end, each in constant time on average.

    >>> rows = Fifo("qd")
    >>> rows.push(7, 0.5); rows.push(8, 1.5); rows.drop_first()
    >>> len(rows), rows[0], rows[-1]
    (1, (8, 1.5), (8, 1.5))
    """

    def __init__(self, codes: str) -> None:
        """Args: the type code of each column, as the standard library's array has them."""
        self._columns: list[array[Any]] = [array(code) for code in codes]
        self._gone = 0

    def __len__(self) -> int:
        return len(self._columns[0]) - self._gone

    def __getitem__(self, place: int) -> tuple[Any, ...]:
        """Return a row: 0 is the first one, -1 the last."""
        at = place if place < 0 else place + self._gone
        return tuple(column[at] for column in self._columns)

    def push(self, *row: float) -> None:
        """Add a row at the back."""
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)

    def drop_first(self) -> None:
        """Take the first row away."""
        self._gone += 1
        if self._gone >= max(SLACK, len(self)):
            for column in self._columns:
                del column[: self._gone]
            self._gone = 0

    def drop_last(self) -> None:
        """Take the last row away."""
        for column in self._columns:
            column.pop()

    def clear(self) -> None:
        """Take all rows away."""
        for column in self._columns:
            del column[:]
        self._gone = 0
