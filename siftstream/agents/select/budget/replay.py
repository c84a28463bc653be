"""Rounds that the log told before it was known from where they count: a few numbers each."""

from array import array
from collections.abc import Iterator


class Rounds:
    """Time, round and count of the choices of one rate, equal neighbours in one.

    >>> rounds = Rounds()
    >>> for at, number in ((10.0, 0), (10.0, 0), (20.0, 1)):
    ...     rounds.add(at, number)
    >>> list(rounds)
    [(10.0, 0, 2), (20.0, 1, 1)]
    """

    def __init__(self) -> None:
        self._at = array("d")
        self._number = array("q")
        self._count = array("q")

    def add(self, at: float, number: int) -> None:
        """Note one choice."""
        if self._at and self._at[-1] == at and self._number[-1] == number:
            self._count[-1] += 1
        else:
            self._at.append(at)
            self._number.append(number)
            self._count.append(1)

    def __iter__(self) -> Iterator[tuple[float, int, int]]:
        return zip(self._at, self._number, self._count, strict=True)
