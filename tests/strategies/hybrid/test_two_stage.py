"""Two-stage: what fills the pool, how large it is, and what chooses from it."""

from typing import Any

import numpy as np
import pytest

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import Need, Window, get_strategy, strategy_of
from siftstream.strategies.hybrid.two_stage import TwoStage


def window_of(highest: list[float], points: Any, covered: Any = None) -> Window:
    probs = np.array([[[p, 1 - p]] for p in highest])
    return Window(probs, np.asarray(points, np.float32), covered)


@pytest.mark.parametrize(
    ("rows", "k", "size"),
    [
        (10_000, 20, 200),  # factor * k
        (400, 20, 100),  # a quarter of the window
        (401, 20, 101),  # rounded up
        (50, 20, 20),  # never less than k
        (20, 20, 20),
        (1, 1, 1),
    ],
)
def test_the_pool_is_ten_batches_at_most_a_share_of_the_window_and_never_less_than_k(
    rows: int, k: int, size: int
) -> None:
    strategy = TwoStage(diversity=strategy_of("k_center"), most_of_window=0.25)
    assert strategy.pool_size(rows, k) == size


def test_the_most_uncertain_fill_the_pool_and_the_diversity_spreads_over_it() -> None:
    # Margin scores are .2, .4, .6, .8, 1: the pool of three is the rows at 2, 3 and 9, their mean 4.67.
    window = window_of([0.9, 0.8, 0.7, 0.6, 0.5], [[0], [50], [2], [3], [9]])
    strategy = get_strategy("two_stage", diversity="k_center", factor=1.5, most_of_window=1.0)
    chosen = strategy.select(window, 2, np.random.default_rng(0))
    assert chosen.indices.tolist() == [4, 3]  # k-center takes 3, the nearest to the mean, then 9
    np.testing.assert_allclose(chosen.scores, [1.0, 0.8])


def test_what_is_covered_is_kept_away_from() -> None:
    window = window_of([0.5, 0.5, 0.9], [[0], [5], [9]], np.array([[0.0]], np.float32))
    strategy = get_strategy("two_stage", diversity="k_center", factor=2.0, most_of_window=1.0)
    for seed in range(8):
        assert strategy.select(window, 1, np.random.default_rng(seed)).indices.tolist() == [1]


def test_a_pool_of_k_rows_is_the_uncertainty_alone() -> None:
    rng = np.random.default_rng(3)
    window = Window(rng.dirichlet(np.ones(3), (40, 1)), rng.normal(size=(40, 4)).astype(np.float32))
    both = get_strategy("two_stage", diversity="k_center", most_of_window=0.1)
    chosen, margin = (s.select(window, 10, np.random.default_rng(0)) for s in (both, get_strategy("margin")))
    assert chosen.indices.tolist() == margin.indices.tolist()
    assert chosen.scores.tolist() == margin.scores.tolist()


class Watched(np.ndarray[Any, Any]):
    """Embeddings that remember how many rows were taken from them at once."""

    taken: list[int]

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        getattr(self, "taken", []).append(len(found) if isinstance(key, np.ndarray) else 0)
        return np.asarray(found)


def test_embeddings_are_gathered_for_the_pool_alone() -> None:
    rng = np.random.default_rng(0)
    emb_BD = rng.normal(size=(1000, 4)).astype(np.float16).view(Watched)
    emb_BD.taken = []
    window = Window(rng.dirichlet(np.ones(3), (1000, 1)), emb_BD)
    get_strategy("two_stage", diversity="k_center").select(window, 5, rng)
    assert max(emb_BD.taken) == 50


def test_it_reads_what_its_parts_read() -> None:
    strategy = get_strategy(
        "two_stage", uncertainty={"name": "margin", "class_weight": "balanced"}, diversity="k_center"
    )
    assert strategy.reads == {Need.PROBS, Need.LABELLED, Need.EMBEDDINGS}
    assert get_strategy("two_stage", diversity="random").reads == {Need.PROBS}


def test_an_uncertainty_that_has_no_score_of_each_sample_is_refused() -> None:
    with pytest.raises(StrategyError, match="k_center chooses a batch as a whole"):
        get_strategy("two_stage", uncertainty="k_center")
