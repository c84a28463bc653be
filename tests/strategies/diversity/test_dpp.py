"""DPP: the greedy search for the largest determinant, by hand and beside determinants computed in full."""

import numpy as np
import pytest

from siftstream.strategies import Window, get_strategy


def window_of(
    emb_BD: np.ndarray, probs_BC: np.ndarray | None = None, covered_ND: np.ndarray | None = None
) -> Window:
    probs = np.ones((len(emb_BD), 0)) if probs_BC is None else probs_BC
    return Window(probs[:, None, :], emb_BD, covered_ND)


def largest_determinants(kernel_BB: np.ndarray, k: int) -> tuple[list[int], list[float]]:
    """Add the row with the largest determinant, `k` times; return by what factor it grew each time."""
    taken: list[int] = []
    factors: list[float] = []
    before = 1.0
    for _ in range(k):
        tries = [
            -1.0 if row in taken else float(np.linalg.det(kernel_BB[np.ix_([*taken, row], [*taken, row])]))
            for row in range(len(kernel_BB))
        ]
        taken.append(int(np.argmax(np.round(tries, 12))))
        factors.append(max(tries) / before)
        before = max(tries)
    return taken, factors


def test_dpp_by_hand_with_quality() -> None:
    # Margins 1 and 0: q = 1 and exp(-1). (1, 0) first: 1. (0, 5) adds exp(-2); (4, 3) adds (3/5)^2 = 0.36.
    emb = np.array([[1.0, 0.0], [0.0, 5.0], [4.0, 3.0]])
    probs = np.array([[0.5, 0.5], [1.0, 0.0], [0.5, 0.5]])
    chosen = get_strategy("dpp").choose(window_of(emb, probs), 2, np.random.default_rng(0))
    assert chosen.indices.tolist() == [0, 2]
    np.testing.assert_allclose(chosen.scores, [1.0, 0.36], rtol=1e-6)
    chosen = get_strategy("dpp", weight=0.0).choose(window_of(emb, probs), 2, np.random.default_rng(0))
    assert chosen.indices.tolist() == [0, 1]


@pytest.mark.parametrize("weight", [0.0, 2.0])
def test_rows_and_scores_are_those_of_the_determinants(weight: float) -> None:
    rng = np.random.default_rng(1)
    emb, probs = rng.normal(size=(40, 12)), rng.dirichlet(np.ones(3), 40)
    unit = emb / np.linalg.norm(emb, axis=1)[:, None]
    top = np.sort(probs, axis=1)
    quality = np.exp(weight * ((1.0 - (top[:, -1] - top[:, -2])) - 1.0))
    rows, factors = largest_determinants(quality[:, None] * (unit @ unit.T) * quality, 9)
    chosen = get_strategy("dpp", weight=weight).choose(window_of(emb, probs), 9, rng)
    assert chosen.indices.tolist() == rows
    np.testing.assert_allclose(chosen.scores, factors, rtol=1e-5)


def test_a_covered_direction_adds_nothing() -> None:
    emb = np.array([[3.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0]])
    chosen = get_strategy("dpp").choose(window_of(emb, None, emb[:1]), 3, np.random.default_rng(0))
    assert chosen.indices.tolist() == [1, 2, 0]
    np.testing.assert_allclose(chosen.scores[:2], [1.0, 0.5], rtol=1e-6)


def test_a_new_round_begins_where_the_dimensions_are_used_up() -> None:
    emb = np.repeat(np.eye(3), 4, axis=0)
    chosen = get_strategy("dpp").select(window_of(emb), 9, np.random.default_rng(0))
    assert [len(set((chosen.indices[turn : turn + 3] // 4).tolist())) for turn in (0, 3, 6)] == [3, 3, 3]
    np.testing.assert_allclose(chosen.scores, [1, 1, 1, 0, 0, 0, -1, -1, -1])
