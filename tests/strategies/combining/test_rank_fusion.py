"""Rank fusion: points by hand, short rankings, and what it refuses."""

from typing import Any, ClassVar

import numpy as np
import pytest

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import Family, Need, Selection, Strategy, Window, get_strategy
from siftstream.strategies.conformance import make_window


class Fixed(Strategy):
    """Rank the rows by a column, as a strategy that has no score of each sample."""

    name: ClassVar[str] = "fixed"
    family: ClassVar[Family] = Family.BASELINE
    asked: list[int]

    def __init__(self, column: str) -> None:
        object.__setattr__(self, "column", column)
        object.__setattr__(self, "asked", [])

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        self.asked.append(k)
        values = window.columns[self.column]
        rows = np.argsort(-values, kind="stable")[:k]
        return Selection(rows, values[rows])


def fused(k: int, **parameters: Any) -> tuple[list[int], list[float]]:
    """Of five rows, ranked 0 1 2 3 4 by `a` and 2 0 4 3 1 by `b`."""
    columns = {"a": np.array([5.0, 4.0, 3.0, 2.0, 1.0]), "b": np.array([4.0, 1.0, 5.0, 2.0, 3.0])}
    window = Window(np.ones((5, 1, 2)), np.zeros((5, 0)), columns=columns)
    strategy = get_strategy(
        "rank_fusion", **{"strategies": [Fixed("a"), {"strategy": Fixed("b"), "weight": 2}], **parameters}
    )
    chosen = strategy.select(window, k, np.random.default_rng(0))
    return chosen.indices.tolist(), chosen.scores.tolist()


def test_reciprocal_ranks_are_added() -> None:
    rows, scores = fused(5, depth=5)
    # 0: 1/61 + 2/62, 2: 1/63 + 2/61, 1: 1/62 + 2/65, 3: 1/64 + 2/64, 4: 1/65 + 2/63
    points = {0: 1 / 61 + 2 / 62, 1: 1 / 62 + 2 / 65, 2: 1 / 63 + 2 / 61, 3: 3 / 64, 4: 1 / 65 + 2 / 63}
    assert rows == sorted(points, key=lambda row: -points[row]) == [2, 0, 4, 1, 3]
    np.testing.assert_allclose(scores, [points[row] for row in rows], rtol=1e-12)


def test_a_small_k0_lets_the_first_places_stand_out() -> None:
    rows, scores = fused(2, depth=5, k0=0)
    assert rows == [2, 0]
    np.testing.assert_allclose(scores, [1 / 3 + 2 / 1, 1 / 1 + 2 / 2])


def test_borda_gives_points_by_place_and_shares_what_is_left_among_the_unranked() -> None:
    rows, scores = fused(5, depth=5, method="borda")  # 5 points for the first, 1 for the last
    by_row = dict(zip(rows, scores, strict=True))
    assert by_row == {0: 5 + 2 * 4, 1: 4 + 2 * 1, 2: 3 + 2 * 5, 3: 2 + 2 * 2, 4: 1 + 2 * 3}
    _, scores = fused(2, depth=2, method="borda")
    # `a` ranks 0 and 1 (5 and 4 points), `b` ranks 2 and 0; the other three share 3 + 2 + 1: 2 each.
    np.testing.assert_allclose(scores, [5 + 2 * 4, 2 + 2 * 5])


def test_beyond_the_depth_reciprocal_ranks_give_nothing() -> None:
    rows, scores = fused(2, depth=2)
    assert rows == [0, 2]
    np.testing.assert_allclose(scores, [1 / 61 + 2 / 62, 2 / 61])


@pytest.mark.parametrize(
    ("depth", "k", "asked"), [(None, 2, 4), (None, 4, 5), (1, 3, 3), (4, 2, 4), (99, 2, 5)]
)
def test_a_strategy_is_asked_for_no_more_than_the_depth(depth: int | None, k: int, asked: int) -> None:
    counted = Fixed("a")
    fused(k, strategies=[counted], depth=depth)
    assert counted.asked == [asked]


def test_score_strategies_are_ranked_to_the_end() -> None:
    window = make_window(2, 40)
    strategy = get_strategy("rank_fusion", strategies=["margin"])
    chosen = strategy.select(window, 3, np.random.default_rng(0))
    assert chosen.indices.tolist() == (
        get_strategy("margin").select(window, 3, np.random.default_rng(0)).indices.tolist()
    )
    np.testing.assert_allclose(chosen.scores, [1 / 61, 1 / 62, 1 / 63])


def test_a_bandit_inside_is_refused() -> None:
    bandit = {"name": "bandit", "strategies": ["margin", "random"]}
    with pytest.raises(
        StrategyError, match=r"rank_fusion: a bandit cannot learn .* one of the bandit's strategies"
    ):
        get_strategy("rank_fusion", strategies=[bandit, "margin"])


def test_it_reads_what_any_of_them_reads() -> None:
    strategy = get_strategy("rank_fusion", strategies=["margin", "k_center"])
    assert strategy.reads == {Need.PROBS, Need.EMBEDDINGS}
