"""The two numbers of a block, by hand."""

from math import log

import numpy as np
import pytest

from siftstream.agents.select.drift.detectors import change, standardised
from siftstream.agents.select.drift.statistics import Place, confidence_of, directions, shown


def test_confidence_is_the_mean_in_hundred_thousandths():
    assert confidence_of([0.9, 0.8, 0.7]) == 80_000
    assert shown("confidence", 80_000) == 0.8


def test_rows_that_are_not_finite_are_left_out():
    assert confidence_of([0.9, float("nan")]) == 90_000
    assert confidence_of([]) is None
    place = Place.of(np.array([[1.0], [3.0], [np.inf]]), 1)
    assert place.rows == 2
    assert place.shift_of(np.array([[np.nan]]), within=False) is None


def test_a_reference_keeps_mean_and_deviation_along_each_direction():
    emb = np.array([[1.0, 0.0], [3.0, 0.0], [1.0, 4.0], [3.0, 4.0]])
    place = Place.of(emb, 2)
    for k, (a, b) in enumerate(directions(2, 2)):  # each component is +-1/sqrt(2)
        assert place.mean[k] == pytest.approx(2 * a + 2 * b, abs=1e-5)
        assert place.deviation[k] == pytest.approx((a**2 * 1 + b**2 * 4) ** 0.5, rel=1e-5)  # sd 1 and 2


def test_the_shift_of_a_later_block_by_hand():
    place = Place(mean=(0.0, 1.0), deviation=(1.0, 2.0), rows=100)
    emb = np.tile([3.0, 5.0], (25, 1))
    a, b = directions(2, 2) @ [3.0, 5.0]
    mean_square = (a**2 + ((b - 1) / 2) ** 2) / 2
    assert place.shift_of(emb, within=False) == round(1000 * log(mean_square / (1 / 25 + 1 / 100)))


def test_the_shift_of_a_block_of_the_reference_by_hand():
    place = Place(mean=(0.0,), deviation=(1.0,), rows=100)
    assert place.shift_of(np.ones((25, 1)), within=True) == round(1000 * log(1 / (1 / 25 - 1 / 100)))


def test_the_shift_is_one_on_average_while_nothing_moves():
    """Both inside the reference and after it: else its blocks alone would look like drift."""
    inside: list[float] = []
    later: list[float] = []
    for seed in range(400):
        emb = np.random.default_rng(seed).standard_normal((9 * 20, 6))
        place = Place.of(emb[:160], 8)
        numbers = [place.shift_of(emb[at : at + 20], within=at < 160) for at in range(0, 180, 20)]
        values = [shown("embedding", number) for number in numbers if number is not None]
        inside += values[:8]
        later.append(values[8])
    assert np.mean(inside) == pytest.approx(1.0, abs=0.05)
    assert np.mean(later) == pytest.approx(1.0, abs=0.12)


def test_embeddings_that_never_vary_make_no_division_by_zero():
    place = Place.of(np.ones((100, 4)), 8)
    assert place.shift_of(np.ones((10, 4)), within=False) == round(1000 * log(1e-4))
    assert place.shift_of(np.zeros((10, 4)), within=False) == round(1000 * log(1e8))


def test_directions_are_the_same_for_ever():
    signs = (directions(4, 2) * 2).astype(int).tolist()
    assert signs == [[-1, 1, 1, 1], [1, -1, 1, 1]]


def test_values_are_standardised_by_the_reference_with_a_least_deviation():
    before, after = standardised([10, 10, 10], [30], 5.0)
    assert before.tolist() == [0.0, 0.0, 0.0]
    assert after.tolist() == [4.0]


def test_a_change_is_placed_where_the_step_is():
    assert change(np.array([0.0, 0.0, 0.0, -4.0, -4.0])) == 3
    assert change(np.array([2.0, 2.0, 2.0])) == 0
