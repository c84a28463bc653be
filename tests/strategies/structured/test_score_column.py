"""Score column: a number of the model's own ranks, and what is no number comes last."""

import math

import numpy as np
import pytest

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import Window, get_strategy

SIGMA = np.array([0.5, math.nan, 2.0, -math.inf, math.inf])


def window_of(**columns: np.ndarray) -> Window:
    return Window(np.zeros((5, 1, 0)), np.zeros((5, 0)), columns=columns)


@pytest.mark.parametrize(("order", "rows"), [("highest", [4, 2, 0]), ("lowest", [3, 0, 2])])
def test_values_come_in_the_order_asked_for_and_no_number_last(order: str, rows: list[int]) -> None:
    strategy = get_strategy("score_column", column="sigma", order=order)
    chosen = strategy.select(window_of(sigma=SIGMA), 5, np.random.default_rng(0))
    assert chosen.indices[:3].tolist() == rows
    assert 1 in chosen.indices[3:]
    assert np.isfinite(chosen.scores).all()


def test_a_column_that_is_not_there_is_refused_with_those_that_are() -> None:
    window = window_of(sigma=SIGMA, boxes=SIGMA)
    with pytest.raises(
        StrategyError, match="score_column: this window has no column 'sigme'; it has boxes, sigma"
    ):
        get_strategy("score_column", column="sigme").select(window, 1, np.random.default_rng(0))
