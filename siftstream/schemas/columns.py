"""A column of a micro-batch that stays in Arrow until somebody reads a value."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

import pyarrow as pa

_T = TypeVar("_T")


class Column(Sequence[_T], Generic[_T]):
    """Reads as a list of Python values, which are made all at once when the first is asked for.

    >>> column = Column(pa.array(["a", "b"]))
    >>> len(column), column[1], column[:1], column == ["a", "b"]
    (2, 'b', ['a'], True)
    """

    def __init__(self, arrow: pa.Array, made: Callable[[Any], _T] | None = None) -> None:
        """Args: the column as Arrow has it; what makes a value of what Arrow gives, where that is not it."""
        self.arrow = arrow
        self._made = made
        self._values: list[_T] | None = None

    @property
    def values(self) -> list[_T]:
        """The Python values."""
        if self._values is None:
            values = self.arrow.to_pylist()
            self._values = values if self._made is None else [self._made(value) for value in values]
        return self._values

    def __len__(self) -> int:
        return len(self.arrow)

    @overload
    def __getitem__(self, index: int) -> _T: ...
    @overload
    def __getitem__(self, index: slice) -> list[_T]: ...
    def __getitem__(self, index: int | slice) -> _T | list[_T]:
        return self.values[index]

    def __iter__(self) -> Iterator[_T]:
        return iter(self.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self.values == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.values)
