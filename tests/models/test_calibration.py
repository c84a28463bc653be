"""Calibration: golden numbers for log loss and calibration error, and what was put in is found again."""

import numpy as np
import pytest
from sklearn import metrics

from siftstream.models.calibration import (
    Calibration,
    Method,
    expected_calibration_error,
    fit_calibration,
    fit_temperature,
    golden_section,
    log_loss,
)
from siftstream.models.head import Head, softmax


def overconfident(count: int = 4000, factor: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits [B, 1, C] that claim `factor` times what the drawn targets warrant."""
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(count, 1, 4)) * 2
    targets = np.array([rng.choice(4, p=row) for row in softmax(honest)[:, 0]])
    return honest * factor, targets


def test_log_loss_gives_the_golden_number() -> None:
    probs = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])
    assert log_loss(probs, np.array([0, 1, 1])) == pytest.approx(0.3405504158)


def test_log_loss_of_a_class_held_impossible_is_finite() -> None:
    assert log_loss(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(27.631, abs=1e-3)


def test_calibration_error_gives_the_golden_number() -> None:
    # Bins of a fifth: {.55, .6} one right of two, {.9, .95} both right:
    # |.5 - .575| * 2/4 + |1 - .925| * 2/4 = .075
    probs = np.array([[0.55, 0.45], [0.6, 0.4], [0.9, 0.1], [0.95, 0.05]])
    assert expected_calibration_error(probs, np.array([0, 1, 0, 0]), bins=5) == pytest.approx(0.075)


def test_calibration_error_is_zero_where_confidence_is_accuracy() -> None:
    assert expected_calibration_error(np.array([[1.0, 0.0]] * 3), np.zeros(3, int)) == 0.0


def test_the_temperature_that_was_put_in_is_found_again() -> None:
    logits, targets = overconfident(factor=3.0)
    assert fit_temperature(logits, targets) == pytest.approx(3.0, rel=0.06)


def test_calibrated_probabilities_are_more_honest() -> None:
    logits, targets = overconfident()
    temperature = fit_temperature(logits, targets)
    before = expected_calibration_error(softmax(logits)[:, 0], targets)
    assert expected_calibration_error(softmax(logits / temperature)[:, 0], targets) < before / 4


def test_a_perfect_handful_does_not_drive_the_temperature_to_nothing() -> None:
    logits = np.zeros((5, 1, 3))
    logits[:, 0, 0] = 4.0
    assert 0.4 < fit_temperature(logits, np.zeros(5, int)) <= 1.0


def test_golden_section_finds_a_valley_at_the_edge_too() -> None:
    assert golden_section(lambda x: x, 1.0, 3.0) == pytest.approx(1.0, abs=1e-3)


def test_log_loss_is_scikit_learns() -> None:
    logits, targets = overconfident()
    probs = softmax(logits)[:, 0]
    assert log_loss(probs, targets) == pytest.approx(metrics.log_loss(targets, probs))


def test_a_temperature_from_some_of_very_many_samples_is_that_of_all() -> None:
    logits, targets = overconfident(4000)
    often = np.tile(targets, 11)
    assert fit_temperature(np.tile(logits, (11, 1, 1)), often) == pytest.approx(3.0, rel=0.08)


def binary(count: int = 4000, members: int = 2, hidden: bool = False) -> tuple[Head, np.ndarray, np.ndarray]:
    """A head of two classes that is too sure and leans to the first one, embeddings, and drawn targets."""
    rng = np.random.default_rng(0)
    emb = rng.normal(size=(count, 3)).astype(np.float32)
    weights = (np.array([2.0, 1.0, 0.0]) + 0.2 * rng.normal(size=(members, 3))).astype(np.float32)
    targets = (rng.random(count) < 1 / (1 + np.exp(-(emb @ weights.mean(axis=0))))).astype(int)
    weights_MD2 = np.stack([np.zeros_like(weights), 3 * weights], axis=2)
    bias = np.tile(np.array([1.5, 0.0], np.float32), (members, 1))
    if not hidden:
        return Head(weights_MD2, bias), emb, targets
    both = np.concatenate([np.eye(3), -np.eye(3)], axis=1).astype(np.float32)  # x is relu(x) - relu(-x)
    return (
        Head(
            np.concatenate([weights_MD2, -weights_MD2], axis=1), bias,
            hidden_MDH=np.tile(both, (members, 1, 1)), hidden_bias_MH=np.zeros((members, 6), np.float32),
        ),
        emb, targets,
    )  # fmt: skip


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_every_method_mends_the_members_mean_of_every_head(method: Method, hidden: bool) -> None:
    head, emb, targets = binary(hidden=hidden)
    mended = fit_calibration(method, head.logits(emb[:2000]), targets[:2000]).on(head)
    before, after = (each.probs(emb[2000:]).mean(axis=1) for each in (head, mended))
    gained = log_loss(before, targets[2000:]) - log_loss(after, targets[2000:])
    assert gained > (0.05 if method == "temperature" else 0.1)
    assert expected_calibration_error(after, targets[2000:]) < 0.035
    again = Head.from_bytes(mended.to_bytes())
    np.testing.assert_array_equal(again.probs(emb), mended.probs(emb))


def test_a_linear_reading_of_an_isotonic_head_is_near_it() -> None:
    head, emb, targets = binary(members=1)
    found = fit_calibration("isotonic", head.logits(emb), targets)
    linear = Calibration(found.temperature, found.shift).on(head)
    assert np.abs(linear.probs(emb) - found.on(head).probs(emb)).mean() < 0.03


def test_no_calibration_changes_nothing() -> None:
    head, emb, targets = binary(50)
    untouched = fit_calibration("none", head.logits(emb), targets).on(head)
    np.testing.assert_array_equal(untouched.probs(emb), head.probs(emb))
