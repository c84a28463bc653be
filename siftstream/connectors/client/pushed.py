"""What was pushed, and what has become of it since."""

from collections.abc import Sequence
from typing import overload

SHOWN = 3


class Pushed(Sequence[str]):
    """The ids of pushed samples, in order; `waiting`, `refused` and `repeated` say what became of them.

    It goes on learning while its client waits: after `push_data(..., asynchronous=True)` until the next
    `query()` or `settle()`.

    >>> pushed = Pushed(["a", "b", "c"])
    >>> pushed.waiting.discard("a")
    >>> pushed.refuse("b", "file:///b.png: no such file")
    >>> list(pushed), pushed.scored, pushed.complete
    (['a', 'b', 'c'], 1, False)
    >>> print(pushed.told)
    1 of 3 samples scored; 1 refused: file:///b.png: no such file; 1 not scored yet: c
    """

    def __init__(self, ids: Sequence[str] = ()) -> None:
        """Args: the sample ids; nothing is known of them yet."""
        self._ids = list(ids)
        self.waiting = set(ids)
        self.refused: dict[str, str] = {}
        """Why a sample became a dead letter, by id."""
        self.repeated: set[str] = set()
        """Samples that were pushed before, by anybody: fetch passed them over, they are not scored anew."""

    def extend(self, ids: Sequence[str]) -> None:
        """Add samples of which nothing is known yet."""
        self._ids += ids
        self.waiting.update(ids)

    def refuse(self, sample_id: str, reason: str) -> None:
        """Note that a sample became a dead letter."""
        self.waiting.discard(sample_id)
        self.refused[sample_id] = reason

    def repeat(self) -> None:
        """Note that what is waited for was there before."""
        self.repeated |= self.waiting
        self.waiting.clear()

    @property
    def scored(self) -> int:
        """How many have been scored since they were pushed."""
        return len(set(self._ids)) - len(self.waiting) - len(self.refused) - len(self.repeated)

    @property
    def complete(self) -> bool:
        """Whether every one is scored, now or when it was pushed before."""
        return not self.waiting and not self.refused

    @property
    def told(self) -> str:
        """What became of them, in a sentence."""
        words = [f"{self.scored:,} of {len(set(self._ids)):,} samples scored"]
        if self.refused:
            words.append(f"{len(self.refused):,} refused: {_some(list(self.refused.values()))}")
        if self.repeated:
            words.append(f"{len(self.repeated):,} pushed before")
        if self.waiting:
            first = [sample_id for sample_id in self._ids if sample_id in self.waiting]
            words.append(f"{len(self.waiting):,} not scored yet: {_some(first)}")
        return "; ".join(words)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self._ids[index]

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        return f"<Pushed: {self.told}>"


def _some(words: Sequence[str]) -> str:
    return ", ".join(words[:SHOWN]) + (", ..." if len(words) > SHOWN else "")
