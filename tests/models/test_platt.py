"""Platt's scale and shift: those of logistic regression, and sane where samples are few."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from siftstream.models.head import softmax
from siftstream.models.platt import fit_platt


def drawn(count: int, members: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits [B, M, 2] whose difference is 2.5 times too large, and too low by 1."""
    rng = np.random.default_rng(seed)
    apart = rng.normal(size=(count, 1)) * 3 + 0.5 * rng.normal(size=(count, members))
    targets = (rng.random(count) < 1 / (1 + np.exp(-(apart.mean(axis=1) / 2.5 + 1)))).astype(int)
    shared = rng.normal(size=(count, members))  # softmax does not see it
    return np.stack([shared, shared + apart], axis=2), targets


def test_it_is_logistic_regression_on_the_difference_of_the_logits() -> None:
    logits, targets = drawn(4000)
    temperature, shift = fit_platt(logits, targets)
    peer = LogisticRegression(C=np.inf).fit(logits[:, 0, 1:] - logits[:, 0, :1], targets)
    assert 1 / temperature == pytest.approx(peer.coef_[0, 0], rel=0.01)
    assert shift / temperature == pytest.approx(peer.intercept_[0], rel=0.01)


@pytest.mark.parametrize("members", [1, 5])
def test_no_other_scale_and_shift_are_likelier(members: int) -> None:
    logits, targets = drawn(2000, members)
    temperature, shift = fit_platt(logits, targets)

    def loss(t: float, s: float) -> float:
        said = softmax((logits + np.array([0.0, s])) / t).mean(axis=1)
        return float(-np.log(said[np.arange(2000), targets]).mean())

    least = loss(temperature, shift)
    for t, s in ((1.1, 0.0), (0.9, 0.0), (1.0, 0.3), (1.0, -0.3)):
        assert loss(temperature * t, shift + s) > least


@pytest.mark.parametrize("target", [0, 1])
def test_samples_of_one_class_alone_do_not_drive_it_to_an_extreme(target: int) -> None:
    logits, _ = drawn(8)
    temperature, shift = fit_platt(logits, np.full(8, target))
    assert 0.1 <= temperature <= 10
    assert abs(shift / temperature) < 5


def test_separated_samples_do_not_drive_it_to_an_extreme() -> None:
    logits = np.stack([np.zeros(40), np.repeat([-2.0, 2.0], 20)], axis=1)[:, None]
    temperature, shift = fit_platt(logits, np.repeat([0, 1], 20))
    assert 0.1 < temperature < 1
    assert shift == pytest.approx(0.0, abs=1e-4)


def test_the_wrong_way_round_is_as_flat_as_it_gets() -> None:
    logits = np.stack([np.zeros(400), np.repeat([-2.0, 2.0], 200)], axis=1)[:, None]
    temperature, _ = fit_platt(logits, np.repeat([1, 0], 200))
    assert temperature == pytest.approx(10.0)


def test_logits_without_end_are_no_trouble() -> None:
    logits = np.stack([np.zeros(40), np.repeat([-1e4, 1e4], 20)], axis=1)[:, None]
    assert np.isfinite(fit_platt(logits, np.tile([0, 1], 20))).all()
