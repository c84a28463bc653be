"""Calibration: golden numbers for log loss and calibration error, and temperatures that are found again."""

import numpy as np
import pytest

from siftstream.models.calibration import (
    expected_calibration_error,
    fit_temperature,
    golden_section,
    log_loss,
)
from siftstream.models.head import softmax


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
