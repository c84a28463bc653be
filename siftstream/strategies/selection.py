"""What a strategy returns: rows of the window, best first, each with its score."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Selection:
    """Chosen rows of the window, best first, each with its score; higher is more useful.

    `by` names the strategy that chose, where one strategy lets another choose; else it is empty.
    """

    indices: NDArray[np.int64]
    scores: NDArray[np.float64]
    by: str = ""

    def __len__(self) -> int:
        return len(self.indices)

    @classmethod
    def nothing(cls) -> Self:
        """Return the selection of no rows."""
        return cls(np.empty(0, np.int64), np.empty(0, np.float64))

    @classmethod
    def ranked(cls, rows: NDArray[np.int64], scores: NDArray[np.floating[Any]], by: str = "") -> Self:
        """Return chosen rows, of which each has a score, best first; ties in the order of the rows given.

        >>> Selection.ranked(np.array([4, 2, 9]), np.array([0.1, 0.7, 0.1])).indices.tolist()
        [2, 4, 9]
        """
        order = np.argsort(-scores, kind="stable")
        return cls(rows[order].astype(np.int64), scores[order].astype(np.float64), by)


def take_best(scores_B: NDArray[np.floating[Any]], k: int) -> Selection:
    """Return the `k` highest scores, best first, ties by row; a sort of k after one pass over B.

    >>> take_best(np.array([0.1, 0.7, 0.2, 0.7]), 3).indices.tolist()
    [1, 3, 2]
    """
    rows = np.arange(len(scores_B))
    if k < len(scores_B):
        threshold = np.partition(scores_B, len(scores_B) - k)[len(scores_B) - k]
        above = np.flatnonzero(scores_B > threshold)
        level = np.flatnonzero(scores_B == threshold)[: k - len(above)]
        rows = np.sort(np.concatenate([above, level]))
    return Selection.ranked(rows, scores_B[rows])
