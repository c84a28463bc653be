"""The answer to a query: the chosen samples, best first, and from how many they were chosen."""

from collections.abc import Sequence
from typing import overload

from siftstream.schemas import Selected


class Answer(Sequence[Selected]):
    """What a query has chosen, by rank; each is as it stands in `selected`.

    >>> answer = Answer("q1", [], asked=3, free=0)
    >>> len(answer), answer.complete
    (0, False)
    >>> print(answer.told)
    0 of 3 samples, all that were free
    """

    def __init__(self, query_id: str, chosen: Sequence[Selected], asked: int, free: int) -> None:
        """Args: the query; what was chosen; how many it asked for; how many could have been chosen."""
        self.query_id, self.asked, self.free = query_id, asked, free
        self._chosen = sorted(chosen, key=lambda sample: sample.rank)

    @property
    def complete(self) -> bool:
        """Whether there are as many as were asked for."""
        return len(self) == self.asked

    @property
    def ids(self) -> list[str]:
        """The sample ids, best first."""
        return [sample.sample_id for sample in self._chosen]

    @property
    def uris(self) -> list[str]:
        """The URIs, best first."""
        return [sample.uri for sample in self._chosen]

    @property
    def told(self) -> str:
        """How many of how many, in a sentence."""
        count = f"{len(self):,} of {self.asked:,} samples"
        return f"{count}, from {self.free:,} free" if self.complete else f"{count}, all that were free"

    @overload
    def __getitem__(self, index: int) -> Selected: ...
    @overload
    def __getitem__(self, index: slice) -> list[Selected]: ...
    def __getitem__(self, index: int | slice) -> Selected | list[Selected]:
        return self._chosen[index]

    def __len__(self) -> int:
        return len(self._chosen)

    def __repr__(self) -> str:
        return f"<Answer: {self.told}>"

    def __str__(self) -> str:
        return str(self.uris)
