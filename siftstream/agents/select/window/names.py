"""Names that repeat in many rows, as small numbers: versions, encoders, lines."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


class Names:
    """A table of names; number 0 is the empty name.

    >>> names = Names()
    >>> names.number("v1"), names.number("v1"), names[1], names.known(["", "v1", "v9"]).tolist()
    (1, 1, 'v1', [0, 1])
    """

    def __init__(self) -> None:
        self._names = [""]
        self._numbers = {"": 0}

    def __getitem__(self, number: int) -> str:
        return self._names[number]

    def number(self, name: str) -> int:
        """Return a name's number, a new one if need be."""
        found = self._numbers.setdefault(name, len(self._names))
        if found == len(self._names):
            self._names.append(name)
        return found

    def known(self, names: Iterable[str]) -> NDArray[np.int32]:
        """Return the numbers of those names that have one."""
        return np.array([self._numbers[name] for name in names if name in self._numbers], np.int32)
