"""The uncertainty inside a hybrid strategy: the use of its scores."""

import numpy as np
from numpy.typing import NDArray

from siftstream.schemas.errors import StrategyError
from siftstream.strategies.selection import take_best
from siftstream.strategies.strategy import ScoreStrategy
from siftstream.strategies.window import Window


def best_rows(scores_B: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Return the `count` rows of the highest scores, in the order of the rows; ties by row.

    >>> best_rows(np.array([0.1, 0.9, 0.3, 0.5]), 2).tolist()
    [1, 3]
    """
    return np.sort(take_best(scores_B, count).indices)


def weights_of(scores_B: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return scores as weights: none below 0, and all 1 where no score is above 0.

    >>> weights_of(np.array([0.0, 0.5])).tolist(), weights_of(np.zeros(2)).tolist()
    ([0.0, 0.5], [1.0, 1.0])
    """
    weights_B = np.maximum(scores_B, 0.0)
    return weights_B if weights_B.any() else np.ones(len(scores_B))


def scores_in(window: Window, strategy: ScoreStrategy, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the strategy's score of each row, [B].

    Raises:
        StrategyError: a score is no number.
    """
    scores_B = strategy.score(window, rng)
    if not np.isfinite(scores_B).all():
        raise StrategyError(f"{strategy.name}: a score that is no number; does the window hold such numbers?")
    return scores_B
