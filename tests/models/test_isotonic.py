"""Isotonic steps: those of scikit-learn, strictly inside 0..1, and of the members' mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from siftstream.models.isotonic import fit_isotonic, pooled


def drawn(count: int, members: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [B, M] of the second class, whose square is what they should be, and whether it is."""
    rng = np.random.default_rng(seed)
    said = rng.random((count, 1))
    second = rng.random(count) < said[:, 0] ** 2
    return np.clip(said + 0.1 * rng.normal(size=(count, members)) * (members > 1), 0, 1), second


def at(knots: np.ndarray, probs: np.ndarray) -> np.ndarray:
    return np.interp(probs, knots[:, 0], knots[:, 1])


@pytest.mark.parametrize("count", [2, 30, 1500])
def test_without_a_prior_it_is_scikit_learns(count: int) -> None:
    said, second = drawn(count)
    said = said.round(2) if count == 30 else said  # some places twice
    peer = IsotonicRegression(out_of_bounds="clip").fit(said[:, 0], second)
    grid = np.linspace(0, 1, 501)
    np.testing.assert_allclose(at(fit_isotonic(said, second, prior=0), grid), peer.predict(grid), atol=1e-5)


def test_very_many_samples_are_joined_and_the_steps_stay() -> None:
    said, second = drawn(20_000)
    peer = IsotonicRegression(out_of_bounds="clip").fit(said[:, 0], second)
    grid = np.linspace(0, 1, 501)
    found = fit_isotonic(said, second, prior=0)
    assert np.abs(at(found, grid) - peer.predict(grid)).mean() < 0.005
    assert len(found) < 500


def test_nothing_is_held_impossible() -> None:
    said, second = np.linspace(0.1, 0.9, 50)[:, None], np.arange(50) >= 25
    knots = fit_isotonic(said, second)
    assert 0 < knots[:, 1].min() < 0.05
    assert 0.95 < knots[:, 1].max() < 1


def test_one_place_alone_gives_the_share_there() -> None:
    knots = fit_isotonic(np.full((8, 1), 0.3), np.arange(8) < 2, prior=0)
    assert at(knots, np.array([0.0, 0.3, 1.0])).tolist() == [0.25, 0.25, 0.25]


def test_the_mean_of_several_members_becomes_honest() -> None:
    said, second = drawn(4000, members=5)
    meant = at(fit_isotonic(said, second), said).mean(axis=1)
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.6), (0.6, 1.0)):
        inside = (meant >= low) & (meant < high)
        assert meant[inside].mean() == pytest.approx(second[inside].mean(), abs=0.03)


def test_the_mean_of_several_members_is_likelier_than_by_steps_of_each_alone() -> None:
    said, second = drawn(1000, members=3)

    def loss(knots: np.ndarray) -> float:
        meant = at(knots, said).mean(axis=1)
        return float(-np.log(np.where(second, meant, 1 - meant)).mean())

    alone = fit_isotonic(said.reshape(-1, 1), np.repeat(second, 3))
    assert loss(fit_isotonic(said, second)) < loss(alone)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 3))
def test_steps_rise_and_stay_inside_whatever_the_samples(seed: int, count: int, members: int) -> None:
    knots = fit_isotonic(*drawn(count, members, seed))
    assert len(knots) >= 2
    assert (np.diff(knots, axis=0) >= 0).all()
    assert 0 < knots[:, 1].min() <= knots[:, 1].max() < 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 10_000))
def test_pooling_is_scikit_learns(means: list[float], seed: int) -> None:
    weights = np.random.default_rng(seed).uniform(0.5, 3, len(means))
    peer = IsotonicRegression().fit(np.arange(len(means)), means, sample_weight=weights)
    np.testing.assert_allclose(
        pooled(np.array(means), weights), peer.predict(np.arange(len(means))), atol=1e-5
    )
