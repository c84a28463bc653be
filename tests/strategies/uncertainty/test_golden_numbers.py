"""Uncertainty scores computed by hand from each paper's formula."""

import math
from typing import Any

import numpy as np
import pytest

from siftstream.strategies import Labelled, Need, Window, get_strategy

LN2, LN3 = math.log(2), math.log(3)
PROBS_BC = np.array([[0.7, 0.2, 0.1], [0.4, 0.4, 0.2], [0.5, 0.3, 0.2], [1.0, 0.0, 0.0]])


def window_of(probs_BC: Any, **beside: Any) -> Window:
    probs_BMC = np.asarray(probs_BC, np.float64)[:, None, :]
    return Window(probs_BMC, np.zeros((len(probs_BMC), 1), np.float32), **beside)


def scores_of(name: str, window: Window, **parameters: Any) -> list[float]:
    """By row."""
    chosen = get_strategy(name, **parameters).select(window, len(window), np.random.default_rng(0))
    return chosen.scores[np.argsort(chosen.indices)].tolist()


@pytest.mark.parametrize(
    ("name", "order", "scores"),
    [
        ("least_confidence", [1, 2, 0, 3], [0.6, 0.5, 0.3, 0.0]),
        ("margin", [1, 2, 0, 3], [1.0, 0.8, 0.5, 0.0]),
        ("ratio", [1, 2, 0, 3], [1.0, 0.6, 2 / 7, 0.0]),
        # -0.8 ln 0.4 - 0.2 ln 0.2;
        # -0.5 ln 0.5 - 0.3 ln 0.3 - 0.2 ln 0.2; -0.7 ln 0.7 - 0.2 ln 0.2 - 0.1 ln 0.1
        ("entropy", [1, 2, 0, 3], [1.0549202, 1.0296531, 0.8018186, 0.0]),
    ],
)
def test_scores_are_those_of_the_formula(name: str, order: list[int], scores: list[float]) -> None:
    chosen = get_strategy(name).select(window_of(PROBS_BC), 4, np.random.default_rng(0))
    assert chosen.indices.tolist() == order
    np.testing.assert_allclose(chosen.scores, scores, atol=1e-7)


def test_entropy_of_a_one_hot_row_is_exactly_zero_and_of_a_uniform_one_log_c() -> None:
    rows = np.vstack([np.eye(4), np.full((1, 4), 0.25)])
    chosen = get_strategy("entropy").select(window_of(rows), 5, np.random.default_rng(0))
    assert chosen.indices[0] == 4
    assert chosen.scores[0] == pytest.approx(math.log(4))
    assert chosen.scores[1:].tolist() == [0.0] * 4
    assert not np.signbit(chosen.scores).any()


def test_members_are_averaged_before_they_are_scored() -> None:
    probs_BMC = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.9, 0.1], [0.9, 0.1]]], np.float32)
    chosen = get_strategy("margin").select(Window(probs_BMC, np.zeros((2, 1))), 2, np.random.default_rng(0))
    assert chosen.indices.tolist() == [0, 1]
    np.testing.assert_allclose(chosen.scores, [1.0, 0.2], atol=1e-6)


# Temperature 2 turns p into p^(1/2) / sum: (0.8, 0.2) into (2, 1) / 3, (0.64, 0.36) into (0.8, 0.6) / 1.4.
# Temperature 1/2 turns p into p^2 / sum: (0.8, 0.2) into (16, 1) / 17, and (0.64, 0.36) into
# (0.4096, 0.1296) / 0.5392.
@pytest.mark.parametrize(
    ("name", "temperature", "scores"),
    [
        ("least_confidence", 2.0, [1 / 3, 3 / 7]),
        ("margin", 2.0, [2 / 3, 6 / 7]),
        ("ratio", 2.0, [1 / 2, 3 / 4]),
        ("entropy", 2.0, [LN3 - 2 / 3 * LN2, math.log(7) - 8 / 7 * LN2 - 3 / 7 * LN3]),
        ("least_confidence", 0.5, [1 / 17, 0.1296 / 0.5392]),
        ("margin", 0.5, [2 / 17, 0.2592 / 0.5392]),
        ("ratio", 0.5, [1 / 16, 0.31640625]),
    ],
)  # fmt: skip
def test_a_temperature_divides_the_logits(name: str, temperature: float, scores: list[float]) -> None:
    probs_BC = np.array([[0.8, 0.2], [0.64, 0.36]])
    from_probs = scores_of(name, window_of(probs_BC), temperature=temperature)
    np.testing.assert_allclose(from_probs, scores, rtol=1e-12)
    logits_BMC = np.log(probs_BC)[:, None, :] + 5.0  # a constant shows in no softmax
    from_logits = scores_of(name, window_of(probs_BC, logits_BMC=logits_BMC), temperature=temperature)
    np.testing.assert_allclose(from_logits, scores, rtol=1e-12)


def test_a_temperature_is_applied_to_each_member_and_then_they_are_averaged() -> None:
    # Of (0.8, 0.2) and (0.2, 0.8) the mean is a tie whatever the temperature; of (0.8, 0.2) and (0.5, 0.5) at
    # temperature 2 it is the mean of 2/3 and 1/2, 7/12, with a margin of 1/6.
    probs_BMC = np.array([[[0.8, 0.2], [0.2, 0.8]], [[0.8, 0.2], [0.5, 0.5]]])
    scores = scores_of("margin", Window(probs_BMC, np.zeros((2, 1))), temperature=2.0)
    np.testing.assert_allclose(scores, [1.0, 5 / 6], rtol=1e-12)


def test_probabilities_of_zero_keep_any_temperature_finite() -> None:
    rows = np.array([[1.0, 0.0], [0.0, 0.0], [1e-300, 0.0]])
    for temperature in (1e-3, 0.5, 2.0, 1e3):
        for name in ("least_confidence", "margin", "ratio", "entropy"):
            assert np.isfinite(scores_of(name, window_of(rows), temperature=temperature)).all()


def test_balanced_weights_multiply_a_score_by_the_expected_weight_of_its_class() -> None:
    # Of 6 labelled, 4 are of class 0, 2 of class 1 and none of class 2, which counts as 1: the weights
    # 6 / (3 n) are 1/2, 1 and 2. Row 0: 0.7 / 2 + 0.2 + 0.1 * 2 = 0.75, times its margin score 0.5.
    labelled = Labelled(np.zeros((6, 1)), np.array([0, 0, 0, 0, 1, 1]), np.full((6, 3), 1 / 3))
    window = window_of(PROBS_BC, labelled=labelled)
    expected = [0.75 * 0.5, 1.0 * 1.0, 0.95 * 0.8, 0.5 * 0.0]
    np.testing.assert_allclose(scores_of("margin", window, class_weight="balanced"), expected, rtol=1e-12)
    entropies = np.array(scores_of("entropy", window))
    weighted = scores_of("entropy", window, class_weight="balanced")
    np.testing.assert_allclose(weighted, entropies * [0.75, 1.0, 0.95, 0.5], rtol=1e-12)


def test_a_rare_class_comes_first_where_classes_are_weighted() -> None:
    rows = np.array([[0.6, 0.4, 0.0], [0.0, 0.4, 0.6]])  # as unsure as each other
    labelled = Labelled(np.zeros((10, 1)), np.array([0] * 9 + [2]), np.full((10, 3), 1 / 3))
    chosen = get_strategy("margin", class_weight="balanced").select(
        window_of(rows, labelled=labelled), 1, np.random.default_rng(0)
    )
    assert chosen.indices.tolist() == [1]


def test_labelled_samples_are_needed_only_where_classes_are_weighted() -> None:
    assert get_strategy("ratio").reads == {Need.PROBS}
    assert get_strategy("ratio", class_weight="balanced").reads == {Need.PROBS, Need.LABELLED}
