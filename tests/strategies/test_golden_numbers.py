"""Scores computed by hand from each paper's formula, and the paths that only size reaches."""

import math

import numpy as np
import pytest

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import KCenter, Window, get_strategy, k_center, take_best, uncertainty

PROBS_BC = np.array([[0.7, 0.2, 0.1], [0.4, 0.4, 0.2], [0.5, 0.3, 0.2], [1.0, 0.0, 0.0]])


def window_of(probs_BC: np.ndarray) -> Window:
    return Window(probs_BC[:, None, :].astype(np.float32), np.zeros((len(probs_BC), 1), np.float32))


@pytest.mark.parametrize(
    ("name", "order", "scores"),
    [
        ("least_confidence", [1, 2, 0, 3], [0.6, 0.5, 0.3, 0.0]),
        ("margin", [1, 2, 0, 3], [1.0, 0.8, 0.5, 0.0]),
        # -0.8 ln 0.4 - 0.2 ln 0.2;
        # -0.5 ln 0.5 - 0.3 ln 0.3 - 0.2 ln 0.2; -0.7 ln 0.7 - 0.2 ln 0.2 - 0.1 ln 0.1
        ("entropy", [1, 2, 0, 3], [1.0549202, 1.0296531, 0.8018186, 0.0]),
    ],
)
def test_uncertainty_scores_are_those_of_the_formula(
    name: str, order: list[int], scores: list[float]
) -> None:
    chosen = get_strategy(name).select(window_of(PROBS_BC), 4, np.random.default_rng(0))
    assert chosen.indices.tolist() == order
    np.testing.assert_allclose(chosen.scores, scores, atol=1e-6)


def test_entropy_of_a_one_hot_row_is_exactly_zero_and_of_a_uniform_one_log_c() -> None:
    rows = np.vstack([np.eye(4), np.full((1, 4), 0.25)])
    chosen = get_strategy("entropy").select(window_of(rows), 5, np.random.default_rng(0))
    assert chosen.indices[0] == 4
    assert chosen.scores[0] == pytest.approx(math.log(4))
    assert chosen.scores[1:].tolist() == [0.0] * 4
    assert not np.signbit(chosen.scores).any()


def test_members_are_averaged_before_they_are_scored() -> None:
    probs_BMC = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.9, 0.1], [0.9, 0.1]]], np.float32)
    window = Window(probs_BMC, np.zeros((2, 1), np.float32))
    chosen = get_strategy("margin").select(window, 2, np.random.default_rng(0))
    assert chosen.indices.tolist() == [0, 1]
    np.testing.assert_allclose(chosen.scores, [1.0, 0.2], atol=1e-6)


def test_k_center_starts_in_the_middle_and_takes_the_farthest() -> None:
    points = np.array([[0, 0], [3, 4], [6, 8], [1, 1]], np.float16)  # mean (2.5, 3.25): row 1 is nearest
    window = Window(np.ones((4, 1, 1), np.float32), points)
    chosen = KCenter().select(window, 4, np.random.default_rng(0))
    assert chosen.indices.tolist() == [1, 0, 2, 3]
    np.testing.assert_allclose(chosen.scores, [5.0, 5.0, 5.0, math.sqrt(2)], rtol=1e-6)


def test_work_split_in_blocks_gives_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    window = Window(
        rng.dirichlet(np.ones(5), (700, 2)).astype(np.float32),
        rng.normal(3, 1, (700, 6)).astype(np.float32),
        rng.normal(3, 1, (90, 6)).astype(np.float32),
    )
    whole = {n: get_strategy(n).select(window, 50, rng) for n in ("entropy", "margin", "k_center")}
    monkeypatch.setattr(k_center, "BLOCK_VALUES", 8192)
    monkeypatch.setattr(uncertainty, "BLOCK_VALUES", 64)
    for name, expected in whole.items():
        split = get_strategy(name).select(window, 50, rng)
        np.testing.assert_array_equal(split.indices, expected.indices)
        np.testing.assert_array_equal(split.scores, expected.scores)


def test_k_center_agrees_with_the_plain_double_loop() -> None:
    rng = np.random.default_rng(11)
    points, covered = rng.normal(100, 1, (80, 5)), rng.normal(100, 1, (7, 5))
    window = Window(np.ones((80, 1, 1), np.float32), points.astype(np.float32), covered.astype(np.float32))
    chosen = KCenter().select(window, 20, rng)
    centers = list(window.covered_ND.astype(np.float64))
    for index, score in zip(chosen.indices, chosen.scores, strict=True):
        nearest = np.array([min(np.linalg.norm(p - c) for c in centers) for p in window.emb_BD])
        assert index == nearest.argmax()
        assert score == pytest.approx(nearest.max(), rel=1e-4)
        centers.append(window.emb_BD[index].astype(np.float64))


def test_a_row_that_is_covered_already_scores_exactly_zero() -> None:
    points = np.random.default_rng(2).normal(1000, 1, (50, 16)).astype(np.float32)
    chosen = KCenter().select(
        Window(np.ones((50, 1, 1), np.float32), points, points), 50, np.random.default_rng()
    )
    assert chosen.scores.tolist() == [0.0] * 50
    assert chosen.indices.tolist() == list(range(50))


def test_take_best_is_a_stable_sort() -> None:
    scores = np.random.default_rng(0).integers(0, 9, 500).astype(np.float64)
    for k in (1, 7, 250, 500):
        assert take_best(scores, k).indices.tolist() == np.argsort(-scores, kind="stable")[:k].tolist()


def test_random_chooses_every_row_equally_often() -> None:
    window, rng, strategy = window_of(np.full((20, 2), 0.5)), np.random.default_rng(0), get_strategy("random")
    counts = np.zeros(20)
    for _ in range(2000):
        counts[strategy.select(window, 5, rng).indices] += 1
    assert abs(counts - 500).max() < 5 * math.sqrt(2000 * 0.25 * 0.75)


def test_an_unknown_name_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(StrategyError, match=r"'marginn' is unknown; did you mean margin"):
        get_strategy("marginn")
    with pytest.raises(StrategyError, match="known: random, least_confidence"):
        get_strategy("zzz")
    with pytest.raises(StrategyError, match=r"'margin': wrong parameters: .*beta"):
        get_strategy("margin", beta=3)


@pytest.mark.parametrize(
    ("probs", "emb", "covered"),
    [((3, 2), (3, 4), (0, 4)), ((3, 1, 2), (2, 4), (0, 4)), ((3, 1, 2), (3, 4), (2, 5))],
)
def test_arrays_that_do_not_fit_are_refused(
    probs: tuple[int, ...], emb: tuple[int, ...], covered: tuple[int, ...]
) -> None:
    with pytest.raises(StrategyError, match=r"window|covered"):
        Window(np.zeros(probs, np.float32), np.zeros(emb, np.float32), np.zeros(covered, np.float32))
