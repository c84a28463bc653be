"""What the watch sees of a window: its newest rows, as the log brought them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of the main line, oldest first.

    Confidences and versions are those that the row *arrived* with: what a newer head made of it hangs on
    when that head was loaded, which the log does not tell.

    Shapes: order [n] (value of `seen` when the row came), confidences [n] (max over classes of the members'
    mean probability), embeddings [n, D], versions and encoders n names.
    """

    order: NDArray[np.int64]
    confidences: Floats
    embeddings: NDArray[np.float16] | Floats
    versions: Sequence[str]
    encoders: Sequence[str]

    def __len__(self) -> int:
        return len(self.order)

    def where(self, kept: NDArray[np.bool_]) -> Self:
        """Return the rows of a mask [n]."""
        if kept.all():
            return self
        at = np.flatnonzero(kept)
        return type(self)(
            self.order[at], self.confidences[at], self.embeddings[at],
            [self.versions[row] for row in at.tolist()], [self.encoders[row] for row in at.tolist()],
        )  # fmt: skip

    def blocks(self, size: int, last: int) -> list[Self]:
        """Return the rows of each block of `size` places, the newest ending before `last`, oldest first.

        Blocks in the middle are there even if empty.
        """
        if not len(self):
            return []
        numbers = (last - 1 - self.order) // size  # 0 is the newest
        return [self.where(numbers == number) for number in range(int(numbers.max()), -1, -1)]


# Gives the rows with order >= seen - count: the stage gathers no more than is asked for.
Newest: TypeAlias = Callable[[int], Rows]
