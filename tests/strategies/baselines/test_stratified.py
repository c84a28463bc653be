"""Stratified sampling: counts by hand, equal chances within a stratum, and strata of their own."""

import numpy as np
import pytest

from siftstream.strategies import Window, get_strategy
from siftstream.strategies.baselines.strata import equal, proportional

RNG = np.random.default_rng


def window_of(classes: list[int]) -> Window:
    probs_BC = np.full((len(classes), 4), 0.1)
    probs_BC[np.arange(len(classes)), classes] = 0.7
    return Window(probs_BC[:, None, :], np.zeros((len(classes), 0)))


@pytest.mark.parametrize(
    ("sizes", "k", "counts"),
    [
        ([5, 5, 5], 9, [3, 3, 3]),
        ([50, 3, 1], 12, [8, 3, 1]),  # 4 each; the last two give all, and the first what is left
        ([2, 9, 4], 15, [2, 9, 4]),
        ([7], 5, [5]),
        ([2, 3, 10, 10], 17, [2, 3, 6, 6]),
    ],
)
def test_equal_shares_are_even_and_small_strata_give_all_they_have(
    sizes: list[int], k: int, counts: list[int]
) -> None:
    assert equal(np.array(sizes), k, RNG(0)).tolist() == counts


def test_what_cannot_be_shared_evenly_goes_to_strata_by_chance() -> None:
    given = np.array([equal(np.array([9, 9, 9]), 4, RNG(seed)) for seed in range(300)])
    assert (np.sort(given, axis=1) == [1, 1, 2]).all()
    assert ((given == 2).mean(axis=0) > 0.2).all()


def test_proportional_shares_are_rounded_up_or_down_and_right_in_the_mean() -> None:
    sizes = np.array([61, 27, 9, 3])  # of 100; 10 give 6.1, 2.7, 0.9, 0.3
    given = np.array([proportional(sizes, 10, RNG(seed)) for seed in range(3000)])
    assert (given.sum(axis=1) == 10).all()
    assert (np.abs(given - sizes / 10) < 1).all()
    np.testing.assert_allclose(given.mean(axis=0), sizes / 10, atol=4 * 0.5 / np.sqrt(3000))


@pytest.mark.parametrize("share", ["equal", "proportional"])
def test_counts_never_exceed_a_stratum_and_add_up_to_k(share: str) -> None:
    rng = RNG(5)
    for _ in range(300):
        sizes = rng.integers(1, 30, rng.integers(1, 8))
        k = int(rng.integers(1, sizes.sum() + 1))
        counts = (equal if share == "equal" else proportional)(sizes, k, rng)
        assert counts.sum() == k
        assert (counts <= sizes).all()
        assert (counts >= 0).all()


def test_rare_classes_are_found_and_alternate_with_the_others() -> None:
    classes = [0] * 90 + [1] * 8 + [3] * 2
    chosen = get_strategy("stratified_by_class").select(window_of(classes), 6, RNG(0))
    assert sorted(np.array(classes)[chosen.indices].tolist()) == [0, 0, 1, 1, 3, 3]
    assert sorted(np.array(classes)[chosen.indices[:3]].tolist()) == [0, 1, 3]
    assert chosen.scores.tolist() == [0.75] * 3 + [0.25] * 3


def test_within_a_class_every_sample_is_as_likely() -> None:
    window, strategy, rng = window_of([0] * 10 + [1] * 5), get_strategy("stratified_by_class"), RNG(0)
    counts = np.zeros(15)
    for _ in range(2000):
        counts[strategy.select(window, 4, rng).indices] += 1  # two of each class
    deviation = 5 * np.sqrt(2000 * np.array([0.2 * 0.8] * 10 + [0.4 * 0.6] * 5))
    assert (np.abs(counts - ([400] * 10 + [800] * 5)) < deviation).all()


def test_proportional_gives_every_sample_the_same_chance() -> None:
    window = window_of([0] * 11 + [1] * 3 + [2] * 1)
    strategy, rng = get_strategy("stratified_by_class", share="proportional"), RNG(1)
    counts = np.zeros(15)
    for _ in range(3000):
        counts[strategy.select(window, 4, rng).indices] += 1
    chance = 4 / 15
    assert (np.abs(counts / 3000 - chance) < 5 * np.sqrt(chance * (1 - chance) / 3000)).all()


def test_the_class_is_that_of_the_members_mean() -> None:
    probs_BMC = np.array(
        [[[0.6, 0.4], [0.1, 0.9]], [[0.6, 0.4], [0.6, 0.4]]]
    )  # means 0.35 and 0.6 of class 0
    chosen = get_strategy("stratified_by_class").select(Window(probs_BMC, np.zeros((2, 0))), 2, RNG(0))
    assert chosen.scores.tolist() == [0.5, 0.5]  # two strata of one


def test_samples_without_the_key_are_a_stratum_of_their_own() -> None:
    metadata = [{"site": "a"}] * 6 + [{"site": ""}] * 6 + [{"device": "a"}] * 6
    window = Window(np.ones((18, 1, 1)), np.zeros((18, 0)), metadata=metadata)
    chosen = get_strategy("stratified_by_metadata", key="site").select(window, 6, RNG(0))
    assert sorted((chosen.indices // 6).tolist()) == [0, 0, 1, 1, 2, 2]
