"""Shares and their ratio: golden numbers by hand and from the papers, coverage by simulation."""

from __future__ import annotations

from math import inf, isclose, isnan, sqrt

import numpy as np
import pytest

from siftstream.models.estimate import lift, score, share, weighted_share, wilson

RUNS = 2000
# strategy's labels and error rate, audit's labels and error rate: from hardly any errors to many
WORLDS = [
    (200, 0.3, 30, 0.1),
    (200, 0.2, 20, 0.05),
    (60, 0.5, 15, 0.25),
    (100, 0.15, 100, 0.1),
    (500, 0.02, 500, 0.02),
    (1000, 0.3, 100, 0.05),
]


def test_a_weighted_share_by_hand() -> None:
    # weights 4, 2, 2 and 1; hits weigh 4 + 1 of 9; 9^2 / (16 + 4 + 4 + 1)
    found = weighted_share([True, False, False, True], [0.25, 0.5, 0.5, 1.0])
    assert isclose(found.value or 0, 5 / 9)
    assert isclose(found.effective, 81 / 25)
    assert isclose(found.hits, 5 / 9 * 81 / 25)
    assert found.count == 4


def test_equal_chances_are_a_plain_share() -> None:
    plain, drawn = share([True, True, False]), weighted_share([True, True, False], [0.01] * 3)
    assert isclose(plain.value or 0, drawn.value or 0)
    assert isclose(plain.low, drawn.low)
    assert isclose(plain.high, drawn.high)
    assert isclose(drawn.effective, 3)


def test_wilson_by_hand() -> None:
    # z = 1.959964: middle (0.8 + z2/20) / (1 + z2/10), half z sqrt(0.16/10 + z2/400) / (1 + z2/10)
    z2 = 1.959964**2
    middle, half = (0.8 + z2 / 20) / (1 + z2 / 10), sqrt(z2 * (0.016 + z2 / 400)) / (1 + z2 / 10)
    low, high = wilson(0.8, 10, 0.95)
    assert isclose(low, middle - half, rel_tol=1e-6)
    assert isclose(high, middle + half, rel_tol=1e-6)
    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)


def test_the_example_of_koopmans_paper() -> None:
    found = lift(share([True] * 36 + [False] * 4), share([True] * 16 + [False] * 64), 0.95)
    assert (round(found.low, 2), round(found.high, 2)) == (2.94, 7.15)


def test_at_both_ends_of_the_interval_the_score_is_the_quantile() -> None:
    upper, lower = share([True] * 7 + [False] * 33), share([True] * 2 + [False] * 28)
    found = lift(upper, lower, 0.9)
    assert isclose(score(found.low, upper, lower), 1.6448536, rel_tol=1e-6)
    assert isclose(score(found.high, upper, lower), -1.6448536, rel_tol=1e-6)


def test_swapping_the_shares_turns_the_interval_round() -> None:
    upper, lower = share([True] * 9 + [False] * 31), share([True] * 3 + [False] * 17)
    one, other = lift(upper, lower), lift(lower, upper)
    assert isclose(one.low, 1 / other.high, rel_tol=1e-9)
    assert isclose(one.high, 1 / other.low, rel_tol=1e-9)


def test_no_error_at_random_leaves_the_lift_open_above() -> None:
    found = lift(share([True] * 10 + [False] * 10), share([False] * 10))
    assert found.value is None
    assert found.high == inf
    assert 1 < found.low < 10


def test_no_error_of_the_strategy_leaves_the_lift_open_below() -> None:
    found = lift(share([False] * 20), share([True] * 5 + [False] * 5))
    assert (found.value, found.low) == (0.0, 0.0)
    assert 0 < found.high < 1


@pytest.mark.parametrize("upper", [[], [False], [True]])
@pytest.mark.parametrize("lower", [[], [False], [True]])
def test_the_smallest_counts_give_an_interval_that_is_one(upper: list[bool], lower: list[bool]) -> None:
    found = lift(share(upper), share(lower))
    assert not isnan(found.low)
    assert not isnan(found.high)
    assert found.low <= found.high
    assert found.value is None or found.low <= found.value <= found.high


def test_nothing_at_all_is_an_unknown_share() -> None:
    found = share([])
    assert (found.value, found.low, found.high, found.effective) == (None, 0.0, 1.0, 0.0)


@pytest.mark.parametrize("chances", [[0.0], [-0.1], [1.1], [float("nan")], [0.5, 0.5]])
def test_a_chance_that_cannot_be_is_refused(chances: list[float]) -> None:
    with pytest.raises(ValueError, match="chance"):
        weighted_share([True], chances)


@pytest.mark.parametrize("unequal", [False, True], ids=["equal chances", "unequal chances"])
@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_intervals_of_ninety_percent_cover_about_ninety_percent(
    world: tuple[int, float, int, float], unequal: bool
) -> None:
    many, wrong, few, at_random = world
    rng = np.random.default_rng(11)
    lifts = errors = 0
    for _ in range(RUNS):
        upper = share(rng.random(many) < wrong)
        chances = rng.choice([0.01, 0.02, 0.04], few) if unequal else np.full(few, 0.02)
        lower = weighted_share((rng.random(few) < at_random).tolist(), chances.tolist())
        found = lift(upper, lower)
        lifts += found.low <= wrong / at_random <= found.high
        errors += lower.low <= at_random <= lower.high
    assert 0.87 <= lifts / RUNS <= 0.95
    assert 0.86 <= errors / RUNS <= 0.95


def test_rounds_of_unequal_windows_give_the_stream_not_the_sample() -> None:
    # Two windows: 400 candidates, 1 in 10 wrong; 40 candidates, half wrong. The audit draws 4 of each, so the
    # plain mean of its errors is .3, the stream's (40 + 20) / 440.
    rng = np.random.default_rng(5)
    large, small = np.arange(400) < 40, np.arange(40) < 20
    plain, weighted = [], []
    for _ in range(RUNS):
        hits = np.concatenate([rng.choice(large, 4, replace=False), rng.choice(small, 4, replace=False)])
        plain.append(hits.mean())
        weighted.append(weighted_share(hits.tolist(), [4 / 400] * 4 + [4 / 40] * 4).value)
    assert abs(float(np.mean(weighted)) - 60 / 440) < 0.01
    assert float(np.mean(plain)) > 0.28
