"""BADGE: its gradients, the distribution of its draws, and scikit-activeml's own."""

import itertools
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from siftstream.strategies import Window, get_strategy
from siftstream.strategies.hybrid.badge import drawn_apart
from siftstream.strategies.hybrid.gradients import Gradients


def random_window(seed: int, size: int, classes: int = 4, dim: int = 5) -> Window:
    rng = np.random.default_rng(seed)
    probs_BC = rng.dirichlet(np.ones(classes), size)
    return Window(probs_BC[:, None], rng.normal(size=(size, dim)).astype(np.float32))


def built(window: Window) -> np.ndarray:
    """Return the gradients as the paper writes them, [B, C D]."""
    probs_BC = window.probs_BMC[:, 0]
    residuals = probs_BC - np.eye(probs_BC.shape[1])[probs_BC.argmax(axis=1)]
    return (residuals[:, :, None] * window.emb_BD[:, None, :]).reshape(len(probs_BC), -1)


def test_distances_are_those_of_the_gradients_that_are_never_built() -> None:
    window = random_window(0, 60)
    gradients, built_BG = Gradients.of(window), built(window)
    apart = ((built_BG[:, None] - built_BG[None]) ** 2).sum(axis=2)
    rows = np.array([3, 17, 40])
    np.testing.assert_allclose(gradients.among(rows), apart[np.ix_(rows, rows)], rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(gradients.to_nearest(rows), apart[:, rows].min(axis=1), rtol=1e-5, atol=1e-12)
    assert not gradients.to_nearest(rows)[rows].any()
    np.testing.assert_allclose(gradients.squared_norms_B, (built_BG**2).sum(axis=1), rtol=1e-5)


def test_gradients_of_one_sample_are_those_computed_by_hand() -> None:
    # a = (.6 - 1, .3, .1) = (-.4, .3, .1), |a|^2 = .26; h = (1, 2), |h|^2 = 5; |g|^2 = 1.3
    window = Window(np.array([[[0.6, 0.3, 0.1]]]), np.array([[1.0, 2.0]]))
    chosen = get_strategy("badge").select(window, 1, np.random.default_rng(0))
    assert chosen.scores[0] == pytest.approx(1.3**0.5, rel=1e-6)


def test_the_first_row_is_the_longest_gradient_and_scores_are_lengths() -> None:
    window = random_window(1, 50)
    lengths_B = np.sqrt((built(window) ** 2).sum(axis=1))
    chosen = get_strategy("badge").select(window, 9, np.random.default_rng(0))
    assert chosen.indices[0] == lengths_B.argmax()
    np.testing.assert_allclose(chosen.scores, lengths_B[chosen.indices], rtol=1e-5)


def test_drawing_many_at_once_leaves_the_distribution_of_k_means_plus_plus() -> None:
    # Of six rows three are drawn after the first: every order of three has the chance that the plain
    # algorithm gives it, the product of D^2 / sum of D^2.
    window, draws = random_window(2, 6, classes=3, dim=2), 5_000
    built_BG = built(window)
    apart = ((built_BG[:, None] - built_BG[None]) ** 2).sum(axis=2)
    gradients, rng = Gradients.of(window), np.random.default_rng(0)
    first = int((built_BG**2).sum(axis=1).argmax())
    seen: dict[tuple[int, ...], int] = {}
    for _ in range(draws):
        rows = tuple(drawn_apart(gradients, first, 4, rng).tolist())
        seen[rows] = seen.get(rows, 0) + 1
    others = [row for row in range(6) if row != first]
    for order in itertools.permutations(others, 3):
        chance, taken = 1.0, [first]
        for row in order:
            squared = apart[:, taken].min(axis=1)
            chance *= squared[row] / squared.sum()
            taken.append(row)
        share = seen.get((first, *order), 0) / draws
        assert abs(share - chance) < 5 * np.sqrt(chance * (1 - chance) / draws) + 1e-9


def test_equal_gradients_are_drawn_only_when_nothing_else_is_left() -> None:
    emb = np.repeat(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), 5, axis=0)
    window = Window(np.full((15, 1, 2), 0.5), emb)
    for seed in range(5):
        first = get_strategy("badge").select(window, 3, np.random.default_rng(seed)).indices
        assert len({tuple(emb[row]) for row in first}) == 3


@pytest.fixture
def skactiveml() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import skactiveml.base
        import skactiveml.pool

        yield skactiveml


def test_draws_have_the_chances_that_scikit_activeml_gives_them(skactiveml: Any) -> None:
    # Known difference: scikit-activeml counts the origin among the drawn from the second draw on, as its
    # distances start from the squared lengths; the authors' code, as ours, does not. Both start with the
    # longest gradient.
    window = random_window(3, 40)
    probs_BC, emb_BD = window.probs_BMC[:, 0], window.emb_BD.astype(np.float64)

    class Given(skactiveml.base.SkactivemlClassifier):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            return self

        def predict_proba(self, X: Any) -> Any:
            assert len(X) == len(probs_BC)
            return probs_BC

    rows, chances = skactiveml.pool.Badge(random_state=0).query(
        emb_BD, np.full(40, np.nan), Given(classes=range(4)), fit_clf=False, batch_size=8,
        return_utilities=True,
    )  # fmt: skip
    gradients = Gradients.of(window)
    squared_B = gradients.squared_norms_B.copy()
    assert rows[0] == squared_B.argmax()
    for turn in range(1, 8):
        squared_B = np.minimum(squared_B, gradients.to_nearest(np.array(rows[:turn])))
        free = np.setdiff1d(np.arange(40), rows[:turn])
        np.testing.assert_allclose(chances[turn][free], squared_B[free] / squared_B.sum(), rtol=1e-4)
