"""Random chooses every sample as often; random-then keeps its share and hides no sample."""

import math

import numpy as np
import pytest

from siftstream.strategies import Need, Window, get_strategy
from siftstream.strategies.conformance import make_window

RNG = np.random.default_rng


def window_of_unsure(count: int, size: int) -> Window:
    probs_BC = np.tile([1.0, 0.0], (size, 1))
    probs_BC[:count] = 0.5
    return Window(probs_BC[:, None, :], np.zeros((size, 0)))


def test_random_chooses_every_row_equally_often() -> None:
    window, rng, strategy = window_of_unsure(3, 20), RNG(0), get_strategy("random")
    counts = np.zeros(20)
    for _ in range(2000):
        counts[strategy.select(window, 5, rng).indices] += 1
    assert abs(counts - 500).max() < 5 * math.sqrt(2000 * 0.25 * 0.75)


@pytest.mark.parametrize(
    ("draw", "variance"),
    [("share", 0.25), ("epsilon", 10 * 0.25 * 0.75)],  # of 2.5 rounded by chance; binomial
)
def test_the_share_is_kept_in_the_mean_and_varies_as_said(draw: str, variance: float) -> None:
    # Ten unsure rows of ten thousand: what the strategy did not choose is what chance chose.
    window = window_of_unsure(10, 10_000)
    strategy = get_strategy("random_then", strategy="margin", random_share=0.25, draw=draw)
    rng = RNG(0)
    drawn = np.array([(strategy.select(window, 10, rng).indices >= 10).sum() for _ in range(400)])
    assert abs(drawn.mean() - 2.5) < 5 * math.sqrt(variance / 400) + 0.01
    assert drawn.var() == pytest.approx(variance, rel=0.35)
    if draw == "share":
        assert set(drawn.tolist()) <= {2, 3}


def test_random_rows_stand_anywhere_in_the_answer() -> None:
    window = window_of_unsure(10, 10_000)
    strategy = get_strategy("random_then", strategy="margin", random_share=0.5)
    rng = RNG(1)
    at_random = np.mean([strategy.select(window, 10, rng).indices >= 10 for _ in range(400)], axis=0)
    assert (np.abs(at_random - 0.5) < 5 * math.sqrt(0.25 / 400)).all()


def test_no_sample_is_without_a_chance() -> None:
    window = window_of_unsure(4, 24)
    strategy, rng = get_strategy("random_then", strategy="margin", random_share=0.5), RNG(2)
    counts = np.zeros(24)
    for _ in range(1000):
        counts[strategy.select(window, 4, rng).indices] += 1
    assert counts[4:].min() > 1000 * 2 / 24 / 2


def test_no_share_is_the_strategy_and_the_whole_share_is_random() -> None:
    window = make_window(3, 30)
    alone = get_strategy("margin").select(window, 6, RNG(5))
    none = get_strategy("random_then", strategy="margin", random_share=0).select(window, 6, RNG(5))
    assert none.indices.tolist() == alone.indices.tolist()
    whole = get_strategy("random_then", strategy="margin", random_share=1).select(window, 6, RNG(5))
    assert whole.indices.tolist() == get_strategy("random").select(window, 6, RNG(5)).indices.tolist()


def test_what_chance_chose_counts_as_covered() -> None:
    # Two far points side by side, and one less far on the other side: where chance takes one of the two,
    # k-center takes the third and not its neighbour.
    points = np.array([[-9.0], [-9.1], [5.0], *[[0.1 * number] for number in range(7)]])
    window = Window(np.ones((10, 1, 1)), points, np.zeros((1, 1)))
    strategy = get_strategy("random_then", strategy="k_center", random_share=0.5)
    chosen = [set(strategy.select(window, 2, RNG(seed)).indices.tolist()) for seed in range(100)]
    assert {0, 1} not in chosen
    assert {0, 2} in chosen
    assert {1, 2} in chosen


def test_it_reads_what_its_strategy_reads() -> None:
    assert get_strategy("random_then").reads == {Need.PROBS}
    assert get_strategy("random_then", strategy="k_center").needs_embeddings
