"""Core-set: never a larger radius than the greedy one, and outliers are not chased."""

import numpy as np
import pytest

from siftstream.strategies import Window, get_strategy


def window_of(emb_BD: np.ndarray, covered_ND: np.ndarray | None = None) -> Window:
    return Window(np.ones((len(emb_BD), 1, 1), np.float32), emb_BD, covered_ND)


def radius(emb: np.ndarray, centres: np.ndarray, outliers: float) -> float:
    apart = np.sqrt(((emb[:, None] - centres[None]) ** 2).sum(axis=2)).min(axis=1)
    return float(np.sort(apart)[len(emb) - 1 - int(outliers * len(emb))])


@pytest.mark.parametrize("outliers", [0.0, 0.1])
@pytest.mark.parametrize("covered", [0, 5])
def test_the_radius_is_below_that_of_the_greedy_centres(outliers: float, covered: int) -> None:
    better = 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        emb, known = rng.standard_t(2, size=(200, 3)), rng.normal(size=(covered, 3))
        window = window_of(emb, known)
        found = get_strategy("core_set", outliers=outliers).choose(window, 12, rng).indices
        greedy = get_strategy("k_center").choose(window, 12, rng).indices
        ours = radius(emb, np.concatenate([known, emb[found]]), outliers)
        theirs = radius(emb, np.concatenate([known, emb[greedy]]), outliers)
        assert ours <= theirs + 1e-5
        better += ours < 0.98 * theirs
    assert better >= (3 if outliers else 1)


def test_far_rows_within_the_share_of_outliers_get_no_centre() -> None:
    rng = np.random.default_rng(0)
    emb = np.concatenate([rng.normal(0, 1, (97, 2)), [[80.0, 0.0], [0.0, 90.0], [-70.0, -70.0]]])
    with_outliers = get_strategy("core_set", outliers=0.03).select(window_of(emb), 5, rng)
    without = get_strategy("core_set", outliers=0.0).select(window_of(emb), 5, rng)
    assert with_outliers.indices.max() < 97
    assert {97, 98, 99} <= set(without.indices.tolist())


def test_scores_are_the_shares_of_the_window_nearest_to_each_row() -> None:
    # Rows 0, 1, 2 around 1 and 50, 51 around either: three fifths and two fifths.
    emb = np.array([[0.0], [1.0], [2.0], [50.0], [51.0]])
    chosen = get_strategy("core_set", outliers=0.0).select(window_of(emb), 2, np.random.default_rng(0))
    assert chosen.indices[0] == 1
    assert chosen.scores.tolist() == [0.6, 0.4]


def test_without_rounds_it_is_k_center() -> None:
    emb = np.random.default_rng(1).normal(size=(60, 3))
    found = get_strategy("core_set", rounds=0).choose(window_of(emb), 9, np.random.default_rng(0))
    greedy = get_strategy("k_center").choose(window_of(emb), 9, np.random.default_rng(0))
    assert sorted(found.indices.tolist()) == sorted(greedy.indices.tolist())
