"""What every strategy shares: the window it looks at, the selection it returns, and its contract.

Shape letters: B samples in the window, M members of the head, C classes, D embedding dimension, N covered.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from siftstream.schemas.errors import StrategyError

Floats = NDArray[np.floating[Any]]


class Need(StrEnum):
    """What a strategy reads from the window."""

    PROBS = "probs"
    EMBEDDINGS = "embeddings"


def _nothing() -> Floats:
    return np.empty((0, 0), np.float32)


@dataclass(frozen=True, eq=False)
class Window:
    """A read-only view of the samples to choose from; no array is copied.

    `covered_ND` holds embeddings that are already selected or labelled, and may be empty.

    >>> window = Window(np.full((3, 1, 2), 0.5, np.float32), np.zeros((3, 4), np.float16))
    >>> len(window), window.covered_ND.shape, window.probs_BMC.flags.writeable
    (3, (0, 4), False)
    """

    probs_BMC: Floats
    emb_BD: Floats
    covered_ND: Floats = field(default_factory=_nothing)

    def __post_init__(self) -> None:
        if self.probs_BMC.ndim != 3 or self.emb_BD.ndim != 2 or len(self.probs_BMC) != len(self.emb_BD):
            raise StrategyError(
                f"a window needs probabilities [B, M, C] and embeddings [B, D] of the same B;"
                f" got {self.probs_BMC.shape} and {self.emb_BD.shape}"
            )
        covered = self.covered_ND if self.covered_ND.size else self.emb_BD[:0]
        if covered.ndim != 2 or covered.shape[1] != self.emb_BD.shape[1]:
            raise StrategyError(
                f"covered embeddings must be [N, {self.emb_BD.shape[1]}] as the window's; got {covered.shape}"
            )
        for name, array in (("probs_BMC", self.probs_BMC), ("emb_BD", self.emb_BD), ("covered_ND", covered)):
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.probs_BMC)

    def has(self, need: Need) -> bool:
        """Tell whether the window carries what `need` names."""
        if need is Need.PROBS:
            return self.probs_BMC.shape[1] > 0 and self.probs_BMC.shape[2] > 0
        return self.emb_BD.shape[1] > 0


@dataclass(frozen=True, eq=False)
class Selection:
    """Chosen rows of the window, best first, each with its score; higher is more useful."""

    indices: NDArray[np.int64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.indices)


@dataclass(frozen=True)
class Strategy(ABC):
    """One way to choose: a frozen dataclass whose fields are its parameters.

    A subclass names itself, says what it needs and where it is from, and writes `choose`.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[Need]]
    source: ClassVar[str]

    @property
    def needs_embeddings(self) -> bool:
        """Whether it compares embeddings, so that all must come from one encoder."""
        return Need.EMBEDDINGS in self.needs

    def select(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Choose the `k` most useful rows, or all of them where the window holds fewer.

        The same window, `k` and state of `rng` give the same answer; ties go to the earlier row.

        Raises:
            StrategyError: `k` is negative, or the window lacks what the strategy needs.
        """
        if k < 0:
            raise StrategyError(f"{self.name}: cannot select {k} samples; ask for 0 or more")
        if not len(window) or not k:
            return Selection(np.empty(0, np.int64), np.empty(0, np.float64))
        for need in sorted(self.needs):
            if not window.has(need):
                raise StrategyError(f"{self.name}: needs {need}, and this window carries none")
        return self.choose(window, min(k, len(window)), rng)

    @abstractmethod
    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Choose exactly `k` rows, 1 <= k <= B, of a window that has what `needs` names."""


def take_best(scores_B: NDArray[np.float64], k: int) -> Selection:
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
    order = rows[np.argsort(-scores_B[rows], kind="stable")].astype(np.int64)
    return Selection(order, scores_B[order])
