"""BatchBALD: gains by hand, against an enumeration of all outcomes, and what follows a full batch."""

import itertools
import math

import numpy as np
import pytest

from siftstream.strategies import Window, get_strategy

LOG2 = math.log(2)
YES, NO = [1.0, 0.0], [0.0, 1.0]


def window_of(probs_BMC: object) -> Window:
    probs = np.asarray(probs_BMC, np.float64)
    return Window(probs, np.zeros((len(probs), 1), np.float32))


def choose(window: Window, k: int, seed: int = 0, **parameters: object) -> tuple[list[int], np.ndarray]:
    chosen = get_strategy("batch_bald", **parameters).select(window, k, np.random.default_rng(seed))
    return chosen.indices.tolist(), chosen.scores


def information(probs_bMC: np.ndarray) -> float:
    """Return I(y_1..b; member) by the definition: a sum over all C^b outcomes."""
    members, classes = probs_bMC.shape[1:]
    joint = within = 0.0
    for outcome in itertools.product(range(classes), repeat=len(probs_bMC)):
        each_M = np.prod([probs_bMC[i, :, y] for i, y in enumerate(outcome)], axis=0)
        joint -= each_M.mean() * math.log(each_M.mean())
        within -= (each_M * np.log(each_M)).sum() / members
    return joint - within


def spread(seed: int, size: int, members: int, classes: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(classes) / 2, (size, members)).clip(1e-3)


def test_a_copy_of_what_was_chosen_adds_nothing_and_another_split_adds_log_two() -> None:
    halves, alternate = [YES, YES, NO, NO], [YES, NO, YES, NO]
    rows, gains = choose(window_of([halves, halves, alternate]), 3)
    assert rows.index(2) < 2  # never both copies first
    np.testing.assert_allclose(gains[:2], [LOG2, LOG2], atol=1e-6)


def test_noisy_copies_add_what_the_formula_says() -> None:
    # Two members, y = 1 with .9 and .1. One label: log 2 - h. Two: outcomes 11 and 00 have (.81 + .01) / 2,
    # 10 and 01 have .09, and each label has h given the member.
    noise = -0.9 * math.log(0.9) - 0.1 * math.log(0.1)
    both = -2 * 0.41 * math.log(0.41) - 2 * 0.09 * math.log(0.09) - 2 * noise
    _, gains = choose(window_of([[[0.9, 0.1], [0.1, 0.9]]] * 2), 2)
    np.testing.assert_allclose(gains, [LOG2 - noise, both - (LOG2 - noise)], atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_gains_add_up_to_the_information_of_all_outcomes(seed: int) -> None:
    probs = spread(seed, 12, 4, 3)
    probs /= probs.sum(axis=2, keepdims=True)
    rows, gains = choose(window_of(probs), 4, least_gain=0.0)
    for size in range(1, 5):
        assert gains[:size].sum() == pytest.approx(information(probs[rows[:size]]), abs=1e-6)
        if size > 1:  # greedy: no other row would have added more
            others = [
                information(probs[[*rows[: size - 1], row]]) for row in set(range(12)) - set(rows[: size - 1])
            ]
            assert information(probs[rows[:size]]) == pytest.approx(max(others), abs=1e-6)


def test_sampled_outcomes_come_close_to_all_of_them() -> None:
    probs = spread(1, 40, 8, 3)
    rows, exact = choose(window_of(probs), 6, least_gain=0.0, outcomes=3**6)
    sampled = np.array(
        [choose(window_of(probs), 6, seed, least_gain=0.0, outcomes=100)[1] for seed in range(6)]
    )
    assert (sampled[:, :6] != exact[:6]).any()  # they were sampled
    np.testing.assert_allclose(sampled.sum(axis=1), exact.sum(), atol=0.05)
    assert len(set(rows)) == 6


def test_the_rest_follows_in_the_order_of_bald_when_the_batch_is_full() -> None:
    probs = spread(2, 3000, 5, 4)
    window = window_of(probs)
    rows, gains = choose(window, 2000, candidates=50)
    bald = get_strategy("bald").select(window, 3000, np.random.default_rng(0)).indices.tolist()
    jointly = int((gains >= 1e-3).sum())  # the default least gain; what follows is scaled below the last
    while rows[jointly - 1] == next(row for row in bald if row not in rows[: jointly - 1]):
        jointly -= 1
    assert 3 < jointly <= 50
    assert set(rows[:jointly]) <= set(bald[:50])
    assert rows[jointly:] == [row for row in bald if row not in rows[:jointly]][: 2000 - jointly]
    assert gains[:jointly].sum() <= math.log(5) * 1.1  # five members bear no more than log 5
    assert (np.diff(gains) <= 0).all()


def test_members_that_agree_leave_nothing_to_choose_jointly() -> None:
    rows, gains = choose(window_of([[[0.7, 0.3]] * 3] * 5), 5)
    assert sorted(rows) == [0, 1, 2, 3, 4]
    assert gains.tolist() == [0.0] * 5


def test_rows_that_miss_one_in_float16_count_as_if_they_did_not() -> None:
    probs = spread(3, 30, 5, 4)
    probs /= probs.sum(axis=2, keepdims=True)
    half = Window(probs.astype(np.float16), np.zeros((30, 1), np.float16))
    _, gains = choose(half, 5)
    _, exact = choose(window_of(probs), 5)
    np.testing.assert_allclose(gains, exact, atol=2e-3)
