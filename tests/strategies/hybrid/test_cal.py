"""CAL: its divergences by hand and in other libraries."""

import warnings
from typing import Any

import numpy as np
import pytest

from siftstream.strategies import Labelled, Window, get_strategy


def random_window(seed: int, size: int, labelled: int) -> Window:
    rng = np.random.default_rng(seed)
    known = Labelled(
        rng.normal(size=(labelled, 4)), rng.integers(3, size=labelled), rng.dirichlet(np.ones(3), labelled)
    )
    return Window(rng.dirichlet(np.ones(3), (size, 1)), rng.normal(size=(size, 4)), labelled=known)


def test_scores_are_the_mean_divergence_from_the_nearest_labelled() -> None:
    # The two nearest of row 0 are at 1 and 2: KL((.5, .5) || (.8, .2)) = .5 ln(.625) + .5 ln 2.5 = .223144;
    # KL((.8, .2) || (.8, .2)) = 0; mean .111572. The one at 9 is too far to count.
    known = Labelled(
        np.array([[9.0], [1.0], [2.0]]), np.zeros(3, np.int64), np.array([[0.0, 1.0], [0.5, 0.5], [0.8, 0.2]])
    )
    window = Window(np.array([[[0.8, 0.2]]]), np.array([[0.0]]), labelled=known)
    chosen = get_strategy("cal", neighbours=2).select(window, 1, np.random.default_rng(0))
    assert chosen.scores[0] == pytest.approx(0.111572, abs=1e-6)


def test_a_probability_of_zero_diverges_by_much_but_not_without_end() -> None:
    known = Labelled(np.zeros((1, 1)), np.zeros(1, np.int64), np.array([[0.0, 1.0]]))
    window = Window(np.array([[[1.0, 0.0]]]), np.zeros((1, 1)), labelled=known)
    score = get_strategy("cal").select(window, 1, np.random.default_rng(0)).scores[0]
    assert score == pytest.approx(-np.log(1e-7), rel=1e-3)


@pytest.mark.parametrize("neighbours", [1, 5, 40])
def test_scores_are_those_of_scikit_activeml(neighbours: int) -> None:
    # Known difference: its default is 5 neighbours, that of scikit-learn; the paper's and ours 10.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skactiveml.base import SkactivemlClassifier
        from skactiveml.pool import ContrastiveAL
    window = random_window(0, 50, 30)
    known = window.labelled
    assert known is not None

    class Given(SkactivemlClassifier):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            return self

        def predict_proba(self, X: Any) -> Any:
            return np.array(known.probs_LC if len(X) == 30 else window.probs_BMC[:, 0])

    _, theirs = ContrastiveAL(
        nearest_neighbors_dict={"n_neighbors": neighbours}, random_state=0
    ).query(
        np.concatenate([window.emb_BD, known.emb_LD]), np.r_[np.full(50, np.nan), known.classes_L],
        Given(classes=range(3)), fit_clf=False, return_utilities=True,
    )  # fmt: skip
    ours = get_strategy("cal", neighbours=neighbours).select(window, 50, np.random.default_rng(0))
    np.testing.assert_allclose(ours.scores, theirs[0, ours.indices], rtol=1e-4, atol=1e-6)


def test_the_order_is_that_of_small_text_where_everything_is_a_neighbour() -> None:
    # Known differences: small-text looks for neighbours among all samples, labelled or not and the sample
    # itself too, on embeddings of length 1 unless told otherwise, and takes the mean over classes, not the
    # sum. With every sample handed to ours as labelled, the order is the same.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sklearn.neighbors import NearestNeighbors
        from small_text import ContrastiveActiveLearning
    rng = np.random.default_rng(1)
    probs_BC, emb_BD = rng.dirichlet(np.ones(3), 40), rng.normal(size=(40, 4))
    theirs = ContrastiveActiveLearning(k=5, normalize=False)._contrastive_active_learning(
        range(40), emb_BD, probs_BC, np.arange(40), NearestNeighbors().fit(emb_BD), 8
    )
    known = Labelled(emb_BD, np.zeros(40, np.int64), probs_BC)
    window = Window(probs_BC[:, None], emb_BD, labelled=known)
    ours = get_strategy("cal", neighbours=5).select(window, 8, np.random.default_rng(0))
    assert sorted(ours.indices.tolist()) == sorted(theirs.tolist())
