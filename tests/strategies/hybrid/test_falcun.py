"""FALCUN: its numbers by hand, and the same draws as scikit-activeml."""

import warnings
from typing import Any

import numpy as np
import pytest

from siftstream.strategies import Window, get_strategy
from siftstream.strategies.hybrid.falcun import Falcun


class Fixed:
    """A generator whose numbers are said beforehand."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = list(numbers)

    def random(self) -> float:
        return self.numbers.pop(0)


def test_chances_and_scores_are_those_computed_by_hand() -> None:
    # Margin uncertainties u = 1, .6, .2; relevance u + d = 2, 1.2, .4, squared 4, 1.44, .16 of 5.6: .7 of it
    # is 3.92, row 0. Then L1 to row 0: 0, .4, .8; d = min: 0, .4, .2, stretched by / .4: 0, 1, .5; relevance
    # 1.6, .7, squared 2.56, .49 of 3.05: .9 of it is 2.745, row 2. Then L1 to row 2: .8, .4, 0, d = 0, .4, 0,
    # stretched 0, 1, 0: relevance of row 1 is 1.6.
    window = Window(np.array([[[0.5, 0.5]], [[0.7, 0.3]], [[0.9, 0.1]]]), np.zeros((3, 0)))
    rng: Any = Fixed(0.7, 0.9, 0.0)
    chosen = Falcun(gamma=2.0).choose(window, 3, rng)
    assert chosen.indices.tolist() == [0, 1, 2]
    np.testing.assert_allclose(chosen.scores, [2.0, 1.6, 0.7], rtol=1e-6)


def test_without_exponent_every_row_is_drawn_as_often() -> None:
    window = Window(np.array([[[0.5, 0.5]], [[0.7, 0.3]], [[1.0, 0.0]]]), np.zeros((3, 0)))
    rng, counts = np.random.default_rng(0), np.zeros(3)
    for _ in range(1500):
        counts[get_strategy("falcun", gamma=0.0).select(window, 1, rng).indices] += 1
    assert abs(counts - 500).max() < 5 * np.sqrt(1500 * (1 / 3) * (2 / 3))


@pytest.mark.parametrize("gamma", [1.0, 10.0])
def test_it_draws_what_scikit_activeml_draws(gamma: float) -> None:
    # Both turn one uniform number into a row by the cumulated chances, so the same generator gives the same
    # rows. Known differences: ours takes the row order from the seed first (`choose` does not) and ranks the
    # rows by their relevance in the end.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skactiveml.base import SkactivemlClassifier
        from skactiveml.pool import Falcun as Theirs
        from skactiveml.utils import check_random_state
    probs_BC = np.random.default_rng(0).dirichlet(np.ones(4), 60).astype(np.float32).astype(np.float64)

    class Given(SkactivemlClassifier):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            return self

        def predict_proba(self, X: Any) -> Any:
            return probs_BC

    for seed in range(3):
        theirs = Theirs(gamma=gamma, random_state=seed).query(
            np.zeros((60, 1)), np.full(60, np.nan), Given(classes=range(4)), fit_clf=False, batch_size=20
        )
        rng: Any = check_random_state(seed, 61)  # its seed: times one more than what has no label
        ours = Falcun(gamma=gamma).choose(Window(probs_BC[:, None], np.zeros((60, 0))), 20, rng)
        assert sorted(ours.indices.tolist()) == sorted(theirs.tolist())
