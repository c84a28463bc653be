"""Distances, neighbours and k-means: what the diversity strategies are made of."""

import numpy as np
import pytest
from sklearn.cluster import KMeans as ScikitKMeans

from siftstream.strategies.clustering import k_means, plus_plus, take_in_turn
from siftstream.strategies.conformance.rules import blocks_of
from siftstream.strategies.distances import neighbours, squared_distances, to_nearest


def plain_squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return ((a.astype(np.float64)[:, None] - b.astype(np.float64)[None]) ** 2).sum(axis=2)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_the_nearest_point_is_that_of_all_differences_far_from_the_origin_too(
    dtype: type, offset: float
) -> None:
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(500, 9)) + offset).astype(dtype)
    points = np.concatenate([(rng.normal(size=(60, 9)) + offset).astype(dtype), rows[:9]])
    squared, nearest = to_nearest(rows, points)
    expected = plain_squared(rows, points)
    np.testing.assert_allclose(squared, expected.min(axis=1), rtol=1e-6)
    assert nearest.tolist() == expected.argmin(axis=1).tolist()
    assert (squared[:9] == 0.0).all()


def test_among_equally_near_points_the_earlier_one_is_nearest() -> None:
    grid = np.random.default_rng(1).integers(0, 3, (200, 3)).astype(np.float32)
    points = grid[:50]
    _, nearest = to_nearest(grid, points)
    assert nearest.tolist() == plain_squared(grid, points).argmin(axis=1).tolist()


def test_points_too_close_for_float32_are_told_apart() -> None:
    points = np.array([[1.0 + 2.0**-20, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    _, nearest = to_nearest(np.array([[1.0, 0.0], [1.0 + 2.0**-20, 0.0]]), points)
    assert nearest.tolist() == [1, 0]


def test_without_points_nothing_is_near() -> None:
    squared, nearest = to_nearest(np.zeros((2, 3)), np.zeros((0, 3)))
    assert np.isinf(squared).all()
    assert nearest.tolist() == [-1, -1]


def test_neighbours_are_those_of_a_stable_sort() -> None:
    grid = np.random.default_rng(2).integers(0, 4, (150, 3)).astype(np.float16)
    squared, nearest = neighbours(grid, grid, 12, same=True)
    expected = plain_squared(grid, grid)
    np.fill_diagonal(expected, np.inf)
    order = np.argsort(expected, axis=1, kind="stable")[:, :12]
    assert nearest.tolist() == order.tolist()
    assert squared.tolist() == np.take_along_axis(expected, order, axis=1).tolist()


def test_there_are_no_more_neighbours_than_points() -> None:
    squared, nearest = neighbours(np.zeros((1, 2)), np.zeros((1, 2)), 5, same=True)
    assert squared.shape == nearest.shape == (1, 0)


@pytest.mark.parametrize("values", [50, 1000])
def test_blocks_change_no_bit_of_clusters_and_seeds(values: int) -> None:
    rows = np.random.default_rng(3).normal(size=(250, 7)).astype(np.float16)
    whole = k_means(rows, 125, np.random.default_rng(0))
    with blocks_of(values):
        split = k_means(rows, 125, np.random.default_rng(0))
    assert (whole.centres_KD == split.centres_KD).all()
    assert (whole.cluster_B == split.cluster_B).all()
    assert (whole.squared_B == split.squared_B).all()


def test_k_means_ends_where_scikit_learns_does_from_the_same_seeds() -> None:
    rng = np.random.default_rng(4)
    rows = (rng.normal(0, 2, (12, 8))[rng.integers(12, size=600)] + rng.normal(size=(600, 8))).astype("f4")
    for seed in range(3):
        ours = k_means(rows, 12, np.random.default_rng(seed), iterations=100)
        seeds = rows[plus_plus(rows, 12, np.random.default_rng(seed))]
        theirs = ScikitKMeans(12, n_init=1, init=seeds, tol=0.0).fit(rows)
        assert ours.squared_B.sum() == pytest.approx(theirs.inertia_, rel=1e-4)
        assert (ours.cluster_B == theirs.labels_).mean() > 0.99
        # Its own seeds are the best of several draws each (greedy k-means++), which gains a few per cent.
        assert ours.squared_B.sum() < 1.2 * ScikitKMeans(12, n_init=1, random_state=seed).fit(rows).inertia_


@pytest.mark.parametrize("k", [6, 250])
def test_centres_are_the_weighted_means_of_their_rows_and_rows_are_at_the_nearest_centre(k: int) -> None:
    rng = np.random.default_rng(5)
    rows, weights = rng.normal(size=(600, 5)), rng.random(600)
    found = k_means(rows, k, rng, weights_B=weights, iterations=200)
    squared = plain_squared(rows, found.centres_KD)
    assert found.cluster_B.tolist() == squared.argmin(axis=1).tolist()
    np.testing.assert_allclose(found.squared_B, squared.min(axis=1), rtol=1e-6, atol=1e-12)
    for cluster in range(k):
        members = found.cluster_B == cluster
        mean = np.average(rows[members], axis=0, weights=weights[members])
        np.testing.assert_allclose(found.centres_KD[cluster], mean, rtol=1e-5, atol=1e-6)


def test_seeds_are_drawn_by_weight_times_squared_distance() -> None:
    # Rows at 0, 1, 3. After 0: 1 with 1/10, 3 with 9/10; after 1: 0 with 1/5; after 3: 0 with 9/13. The third
    # of four comes by rejection: rows at 0, 1, 3, 3 + 4 of which the first is drawn with weight alone.
    rows = np.array([[0.0], [1.0], [3.0], [7.0]])
    weights = np.array([1.0, 1.0, 1.0, 0.5])
    drawn = [plus_plus(rows, 3, np.random.default_rng(seed), weights_B=weights) for seed in range(6000)]
    chances: dict[tuple[int, ...], float] = {}
    apart = weights * plain_squared(rows, rows)
    for first in range(4):
        for second in range(4):
            p_second = apart[first, second] / apart[first].sum()
            left = np.minimum(apart[first], apart[second])
            for third in range(4):
                if len({first, second, third}) == 3:
                    chance = weights[first] / weights.sum() * p_second * left[third] / left.sum()
                    chances[first, second, third] = chance
    assert sum(chances.values()) == pytest.approx(1.0)
    for order, chance in chances.items():
        share = np.mean([tuple(rows) == order for rows in drawn])
        assert share == pytest.approx(chance, abs=4.5 * (chance * (1 - chance) / 6000) ** 0.5 + 1e-9)


def test_more_seeds_than_different_rows_are_still_distinct_rows() -> None:
    rows = np.repeat(np.eye(3, dtype=np.float16), 4, axis=0)
    seeds = plus_plus(rows, 11, np.random.default_rng(0))
    assert len(set(seeds.tolist())) == 11
    assert len({seed // 4 for seed in seeds[:3].tolist()}) == 3


def test_rows_are_taken_in_turn_from_groups() -> None:
    groups, values = np.array([2, 0, 0, 2, 2]), np.array([1.0, 5.0, 5.0, 3.0, 2.0])
    assert take_in_turn(groups, values, 4).tolist() == [1, 3, 2, 4]


def test_equal_points_far_out_are_at_exactly_zero() -> None:
    points = np.random.default_rng(6).normal(1000.0, 0.01, (40, 300))
    squared = squared_distances(points, points, points.mean(axis=0))
    assert (np.diag(squared) == 0.0).all()
    assert (squared + np.eye(40) > 0.0).all()
