"""DeepFool's distance is the least move of the embedding that changes the class."""

import numpy as np
import pytest

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import LinearHead, Window, get_strategy
from siftstream.strategies.expected_change.deepfool import DeepFool


def window_of(emb: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> Window:
    probs = np.full((len(emb), weights.shape[0], weights.shape[2]), 1 / weights.shape[2])
    return Window(probs, emb, head=LinearHead(weights, bias))


def test_the_score_is_that_of_equation_8() -> None:
    weights = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])  # f = (a, b, 0.5)
    bias = np.array([[0.0, 0.0, 0.5]])
    emb = np.array([[3.0, 1.0], [1.0, 0.75], [0.0, 0.0]])
    chosen = get_strategy("deepfool").select(window_of(emb, weights, bias), 3, np.random.default_rng(0))
    # row 0: min(2 / sqrt 2, 2.5 / 1); row 1: min(.25 / sqrt 2, .5 / 1); row 2 is class 2: .5 / 1 to either
    distances = {0: 2 / 2**0.5, 1: 0.25 / 2**0.5, 2: 0.5}
    assert chosen.indices.tolist() == [1, 2, 0]
    np.testing.assert_allclose(chosen.scores, [1 / (1 + distances[row]) for row in (1, 2, 0)], rtol=1e-6)


def test_members_distances_are_averaged() -> None:
    weights = np.array([[[1.0, 0.0]], [[2.0, 0.0]]])  # borders at 0 and at 1
    bias = np.array([[0.0, 0.0], [0.0, 2.0]])
    distances = DeepFool.distances(LinearHead(weights, bias), np.array([[3.0], [0.5]]))
    np.testing.assert_allclose(distances, [(3 + 2) / 2, (0.5 + 0.5) / 2], rtol=1e-6)


def test_moving_by_the_distance_reaches_the_border_and_by_less_does_not() -> None:
    rng = np.random.default_rng(2)
    emb, weights, bias = rng.normal(size=(30, 4)), rng.normal(size=(1, 4, 3)), rng.normal(size=(1, 3))
    distance = DeepFool.distances(LinearHead(weights, bias), emb)
    moves = rng.normal(size=(30, 2000, 4))
    moves /= np.linalg.norm(moves, axis=2, keepdims=True)

    def classes_at(share: float) -> np.ndarray:
        moved = emb[:, None] + share * distance[:, None, None] * moves
        return (moved @ weights[0] + bias[0]).argmax(axis=2)

    now = (emb @ weights[0] + bias[0]).argmax(axis=1)
    assert (classes_at(0.999) == now[:, None]).all()
    assert (classes_at(1.5) != now[:, None]).any(axis=1).all()


def test_a_border_that_no_move_reaches_gives_no_score() -> None:
    weights = np.zeros((1, 2, 2))
    chosen = get_strategy("adversarial_margin").select(
        window_of(np.ones((3, 2)), weights, np.array([[1.0, 0.0]])), 3, np.random.default_rng(0)
    )
    assert chosen.scores.tolist() == [0.0] * 3


def test_a_head_of_another_encoder_is_refused() -> None:
    window = window_of(np.ones((3, 2)), np.ones((1, 5, 2)), np.zeros((1, 2)))
    with pytest.raises(StrategyError, match="embeddings of 5 numbers, and the window's have 2"):
        get_strategy("deepfool").select(window, 1, np.random.default_rng(0))
