"""Expected gradient length is the length of the last layer's gradient, expected over the labels."""

import numpy as np
import pytest

from siftstream.strategies import Window, get_strategy
from siftstream.strategies.conformance import make_window

# No library is compared: modAL has none, and scikit-activeml's expected model change is for regression.


def test_the_score_is_that_of_the_formula() -> None:
    probs = np.array([[[0.7, 0.2, 0.1]], [[1.0, 0.0, 0.0]]])
    window = Window(probs, np.array([[2.0, 1.0], [9.0, 9.0]]))
    chosen = get_strategy("egl").select(window, 2, np.random.default_rng(0))
    # ||p - e_0|| = sqrt(.09 + .04 + .01), ||p - e_1|| = sqrt(.49 + .64 + .01), ||p - e_2|| = sqrt(.49 + .04
    # + .81); times sqrt(4 + 1 + 1)
    expected = (0.7 * 0.14**0.5 + 0.2 * 1.14**0.5 + 0.1 * 1.34**0.5) * 6**0.5
    assert chosen.indices.tolist() == [0, 1]
    assert chosen.scores[0] == pytest.approx(expected, rel=1e-12)
    assert chosen.scores[1] == 0.0


def test_it_is_the_length_that_finite_differences_of_the_loss_find() -> None:
    rng = np.random.default_rng(1)
    emb, layer = rng.normal(size=(7, 5)), rng.normal(size=(6, 3))  # weights, and the bias as the last row

    def losses_of(row: int, layer: np.ndarray) -> np.ndarray:
        logits = np.append(emb[row], 1.0) @ layer
        return np.log(np.exp(logits).sum()) - logits  # the cross-entropy with each label

    probs, expected = np.empty((7, 3)), np.zeros(7)
    for row in range(7):
        probs[row] = np.exp(-losses_of(row, layer))
        gradients = np.empty((6, 3, 3))
        for place in np.ndindex(6, 3):
            step = np.zeros((6, 3))
            step[place] = 1e-5
            gradients[place] = (losses_of(row, layer + step) - losses_of(row, layer - step)) / 2e-5
        expected[row] = probs[row] @ np.sqrt((gradients**2).sum(axis=(0, 1)))
    chosen = get_strategy("expected_gradient_length").select(
        Window(probs[:, None], emb), 7, np.random.default_rng(0)
    )
    np.testing.assert_allclose(chosen.scores, expected[chosen.indices], rtol=1e-7)


def test_a_longer_embedding_is_asked_first_among_equal_probabilities() -> None:
    whole = make_window(0, 20)
    emb = whole.emb_BD.astype(np.float64)
    window = Window(np.full((20, 1, 4), 0.25), emb)
    chosen = get_strategy("egl").select(window, 20, np.random.default_rng(0))
    assert chosen.indices.tolist() == np.argsort(-np.linalg.norm(emb, axis=1)).tolist()
