"""What the token strategies share: a score of each token, and one number of a sample's tokens."""

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.schemas.errors import StrategyError
from siftstream.strategies.needs import Need
from siftstream.strategies.strategy import Family, RowStrategy
from siftstream.strategies.window import Window

Float64 = NDArray[np.float64]
EMPTY = -1.0  # score of a sample without tokens: below any other
REDUCE = (
    "How tokens make a sample's score: the least sure one alone, the `mean`, the `sum` (longer samples"
    " score higher), or the length of the `longest` run of unsure tokens."
)


@dataclass(frozen=True)
class TokenStrategy(RowStrategy):
    """Ranks samples by the class probabilities of their tokens; one without tokens scores -1, below all.

    Tokens are whatever a sample has several of: words, frames of a sound, boxes of an image.
    """

    family: ClassVar[Family] = Family.STRUCTURED
    needs: ClassVar[frozenset[Need]] = frozenset({Need.TOKENS})
    cost: ClassVar[str] = "B T C"

    @abstractmethod
    def of(self, probs_BTC: Float64, counts_BT: NDArray[np.bool_]) -> Float64:
        """Return the score of each sample of one token or more, [B], 0 or above, from those that count."""

    def score_rows(self, window: Window) -> Float64:
        """Return the score of each row of a block, [b]."""
        tokens = window.tokens
        if tokens is None:
            raise StrategyError(f"{self.name}: this window has no tokens; give them to the window")
        counts_BT = np.arange(tokens.probs_BTC.shape[1]) < tokens.lengths_B[:, None]
        probs_BTC = np.where(counts_BT[:, :, None], tokens.probs_BTC, 0.0).astype(np.float64)
        return np.where(counts_BT.any(axis=1), self.of(probs_BTC, counts_BT), EMPTY)

    def values_per_row(self, window: Window) -> int:
        """Return how many numbers a row's score is made of, for the size of a block."""
        tokens = window.rows(slice(0, 1)).tokens
        return 1 if tokens is None else max(1, tokens.probs_BTC[0].size)


@dataclass(frozen=True)
class TokenUncertainty(TokenStrategy):
    """Ranks by how unsure the tokens are, each by itself."""

    reduce: Literal["min", "max", "mean", "sum", "longest"] = Field(default="mean", description=REDUCE)
    threshold: float = Field(default=0.5, ge=0.0, description="Where a token starts to be unsure.")

    @staticmethod
    @abstractmethod
    def of_token(probs_NC: Float64) -> Float64:
        """Return how unsure each token is, [N], 0 or above; higher is less sure."""

    @property
    def unsure_above(self) -> float:
        """The score above which a token counts as unsure."""
        return self.threshold

    def of(self, probs_BTC: Float64, counts_BT: NDArray[np.bool_]) -> Float64:
        """Return one number of each sample's tokens, [B]."""
        size, length, classes = probs_BTC.shape
        each_BT = self.of_token(probs_BTC.reshape(-1, classes)).reshape(size, length)
        each_BT = np.where(counts_BT, each_BT, 0.0)
        if self.reduce == "longest":
            return longest_run(counts_BT & (each_BT > self.unsure_above)).astype(np.float64)
        if self.reduce in ("min", "max"):
            return each_BT.max(axis=1, initial=0.0)
        total_B = each_BT.sum(axis=1)
        return total_B if self.reduce == "sum" else total_B / np.maximum(counts_BT.sum(axis=1), 1)


def longest_run(marked_BT: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the length of the longest run of marks in each row, [B].

    >>> longest_run(np.array([[1, 1, 0, 1], [0, 0, 0, 0], [0, 1, 1, 1]], bool)).tolist()
    [2, 0, 3]
    """
    run_B = np.zeros(len(marked_BT), np.int64)
    longest_B = run_B.copy()
    for marked in marked_BT.T:
        run_B = (run_B + 1) * marked
        np.maximum(longest_B, run_B, out=longest_B)
    return longest_B
