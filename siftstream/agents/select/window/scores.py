"""Scores of rows by strategies that look at one row alone: computed once a row, not once a round."""

from typing import Any, Final, Self, cast

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.select.window.ring import Slots
from siftstream.agents.select.window.window import Window
from siftstream.strategies import Need, RowStrategy
from siftstream.strategies import Window as Candidates

KEPT: Final = 4  # strategies whose scores a window keeps: its own, shadows, queries' last ones
IN_THE_ROW: Final = frozenset({Need.PROBS, Need.MEMBERS, Need.EMBEDDINGS, Need.GRADIENT})
_METHODS: Final = ("select", "choose", "score", "_choose_from")


class RowScores:
    """Keeps a float32 a row; rows that are new, scored again or rescored are computed when it is next asked.

    Rounding to float32 keeps order but for ties, so rows above a score and those that tie with it are found.
    """

    def __init__(self, window: Window, strategy: RowStrategy) -> None:
        self._window = window
        self._strategy = strategy
        self._scores = np.zeros(window.capacity, np.float32)
        self._computed = 0  # the window's `change` when scores were last computed

    @classmethod
    def of(cls, window: Window, strategy: RowStrategy) -> Self:
        """Return what the window keeps for a strategy; the one that was asked for longest ago falls away."""
        key = (type(strategy), repr(strategy))
        found = cast("Self | None", window.row_scores.pop(key, None)) or cls(window, strategy)
        window.row_scores[key] = found
        if len(window.row_scores) > KEPT:
            del window.row_scores[next(iter(window.row_scores))]
        return found

    @staticmethod
    def serves(strategy: RowStrategy) -> bool:
        """Whether a strategy ranks by `score_rows` alone, of what stands in the row alone."""
        kind: Any = type(strategy)
        as_is = all(getattr(kind, name) is getattr(RowStrategy, name) for name in _METHODS)
        return as_is and strategy.reads <= IN_THE_ROW

    def shortlist(self, slots: Slots, k: int) -> Slots:
        """Return those of some slots, in their order, whose score is at least the k-th best.

        What `strategy.select` chooses of these is what it chooses of all, bit by bit, since ties go by keys.
        All are returned where that is not so, or where a score is no number, which `select` refuses.

        Raises:
            StrategyError: the window lacks what the strategy needs.
        """
        if not 0 < k < len(slots) or not self.serves(self._strategy):
            return slots
        self._compute()
        scores = self._scores[slots]
        threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
        if np.isnan(scores).any():
            return slots
        return slots[scores >= threshold]

    def _compute(self) -> None:
        window = self._window
        found = [np.flatnonzero(window.changes[run] > self._computed) + run.start for run in window.runs()]
        rows: NDArray[np.int64] = np.concatenate(found)
        if len(rows):
            view = Candidates(window.probs, window.embeddings, keys_B=window.keys, rows=rows)
            self._strategy.require(view)
            with np.errstate(over="ignore"):
                self._scores[rows] = self._strategy.score(view, np.random.default_rng(0)).astype(np.float32)
        self._computed = window.change
