"""Multi-label scores by hand, and beside modAL's, whose classes are supports with a hinge loss."""

import math
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from siftstream.strategies import Window, get_strategy

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
# Three classes, each by itself; a row need not sum to 1.
PROBS_BC = [[0.9, 0.8, 0.1], [0.6, 0.0, 0.0], [1.0, 1.0, 0.0], [0.3, 0.2, 0.0], [1.0, 0.0, 0.0]]


def scores_of(name: str, probs_BC: object, **parameters: object) -> np.ndarray:
    probs = np.asarray(probs_BC, np.float64)
    window = Window(probs[:, None, :], np.zeros((len(probs), 1), np.float32))
    chosen = get_strategy(name, **parameters).select(window, len(window), np.random.default_rng(0))
    scores_B = np.empty(len(window))
    scores_B[chosen.indices] = chosen.scores
    return scores_B


def h(p: float) -> float:
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


@pytest.mark.parametrize(
    ("name", "scores"),
    [
        # |2p - 1|: (.8, .6, .8), (.2, 1, 1), (1, 1, 1), (.4, .6, 1), (1, 1, 1)
        ("bin_min", [0.4, 0.8, 0.0, 0.6, 0.0]),
        # a yes costs 2 (1 - p), a no 2 p; the likeliest class is the only yes:
        # .2 + 1.6 + .2;  .8;  0 + 2 + 0;  1.4 + .4;  0
        ("max_loss", [2.0, 0.8, 2.0, 1.8, 0.0]),
        # each predicted class (p >= .5) as the only yes: (2.0 + (1.8 + .4 + .2)) / 2;  .8;  (2 + 2) / 2; none
        # is predicted, so the likeliest: 1.8;  0
        ("mean_max_loss", [2.2, 0.8, 2.0, 1.8, 0.0]),
        ("mean_binary_entropy", [(2 * h(0.9) + h(0.8)) / 3, h(0.6) / 3, 0.0, (h(0.3) + h(0.2)) / 3, 0.0]),
    ],
)
def test_multi_label_scores_are_those_of_the_formula(name: str, scores: list[float]) -> None:
    np.testing.assert_allclose(scores_of(name, PROBS_BC), scores, atol=1e-9)


def test_mean_max_loss_predicts_from_its_threshold_on() -> None:
    # with .85, row 0 predicts its first class alone: .2 + 1.6 + .2
    assert scores_of("mean_max_loss", PROBS_BC, threshold=0.85)[0] == pytest.approx(2.0)


@pytest.fixture(scope="module")
def modal() -> SimpleNamespace:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from modAL import multilabel
    return SimpleNamespace(**vars(multilabel))


class Certain:
    """A classifier of modAL's whose classes answer 0 or 1, or as far from the border as they are."""

    def __init__(self, probs_BC: np.ndarray) -> None:
        self.probs_BC, self.classes_ = probs_BC, np.arange(probs_BC.shape[1])
        one = [
            SimpleNamespace(decision_function=lambda rows, c=c: 2 * probs_BC[rows, c] - 1)
            for c in self.classes_
        ]
        self.estimator = SimpleNamespace(estimators_=one)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return (self.probs_BC[rows] >= 0.5).astype(int)

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        return self.probs_BC[rows]


def test_modal_has_the_same_binary_minimum_and_max_loss(modal: SimpleNamespace) -> None:
    probs_BC = np.random.default_rng(0).random((60, 5))
    best = modal.SVM_binary_minimum(Certain(probs_BC), np.arange(60))
    assert scores_of("bin_min", probs_BC).argmax() == best
    # Their losses read the answers 0 and 1, ours the probabilities: the same where those are 0 and 1.
    # Their mean_max_loss averages over all classes instead of the predicted ones, and takes the hinge of a
    # sum over the classes instead of the sum of the hinges, so it is not compared.
    hard = np.round(probs_BC)
    rows, losses = modal.max_loss(Certain(hard), np.arange(60), n_instances=60)
    np.testing.assert_allclose(scores_of("max_loss", hard)[rows], losses)
