"""Expected error and variance reduction by rank-one updates are those of a fit from scratch."""

import warnings
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from siftstream.strategies import Labelled, Window, get_strategy
from siftstream.strategies.conformance import make_window

RIDGE = 0.05


@dataclass
class Scratch:
    """The surrogate fitted from its definition: centred and scaled rows and a constant, ridge on all."""

    centre: np.ndarray
    scale: float
    penalty: float

    @classmethod
    def of(cls, window: Window) -> "Scratch":
        emb = window.emb_BD.astype(np.float64)
        centre = emb.mean(axis=0)
        made = cls(centre, float(np.sqrt(((emb - centre) ** 2).sum(axis=1).mean())), 0.0)
        assert window.labelled is not None
        x = made.rows(window.labelled.emb_LD)
        made.penalty = RIDGE * float((x**2).sum()) / x.shape[1]
        return made

    def rows(self, emb: np.ndarray) -> np.ndarray:
        return np.hstack([(emb.astype(np.float64) - self.centre) / self.scale, np.ones((len(emb), 1))])

    def inverse(self, emb: np.ndarray) -> np.ndarray:
        x = self.rows(emb)
        return np.linalg.inv(x.T @ x + self.penalty * np.eye(x.shape[1]))

    def probs(self, emb: np.ndarray, classes: np.ndarray, count: int, at: np.ndarray) -> np.ndarray:
        weights = self.inverse(emb) @ self.rows(emb).T @ np.eye(count)[classes]
        scores = np.maximum(self.rows(at) @ weights, 0.0)
        total = scores.sum(axis=1, keepdims=True)
        return np.where(total > 0, scores / np.where(total > 0, total, 1), 1 / count)


def log_loss(probs: np.ndarray) -> float:
    return float(-(probs * np.log(np.where(probs > 0, probs, 1))).sum(axis=1).mean())


def error(probs: np.ndarray) -> float:
    return float((1 - probs.max(axis=1)).mean())


@pytest.fixture(scope="module")
def window() -> Window:
    return make_window(3, 25, labelled=12, dtype=np.float64)


@pytest.mark.parametrize(("loss", "loss_of"), [("log", log_loss), ("error", error)])
def test_error_reduction_is_that_of_a_refit_for_every_candidate_and_class(
    window: Window, loss: str, loss_of: Any
) -> None:
    known, scratch = window.labelled, Scratch.of(window)
    assert known is not None
    now = loss_of(scratch.probs(known.emb_LD, known.classes_L, 4, window.emb_BD))
    chances = window.probs_BMC.mean(axis=1)
    expected = np.full(25, now)
    for row in range(25):
        emb = np.vstack([known.emb_LD, window.emb_BD[row : row + 1]])
        for label in range(4):
            after = scratch.probs(emb, np.append(known.classes_L, label), 4, window.emb_BD)
            expected[row] -= chances[row, label] * loss_of(after)
    chosen = get_strategy("eer", loss=loss, ridge=RIDGE).select(window, 25, np.random.default_rng(0))
    np.testing.assert_allclose(chosen.scores, expected[chosen.indices], rtol=1e-5, atol=1e-7)


def test_variance_reduction_is_the_variance_before_minus_after(window: Window) -> None:
    known, scratch = window.labelled, Scratch.of(window)
    assert known is not None
    at = scratch.rows(window.emb_BD)

    def variance(emb: np.ndarray) -> float:
        return float(np.einsum("re,ef,rf->r", at, scratch.inverse(emb), at).mean())

    before = variance(known.emb_LD)
    after = [variance(np.vstack([known.emb_LD, window.emb_BD[row : row + 1]])) for row in range(25)]
    chosen = get_strategy("evr", ridge=RIDGE).select(window, 25, np.random.default_rng(0))
    np.testing.assert_allclose(chosen.scores, (before - np.array(after))[chosen.indices], rtol=1e-5)


def test_one_dimension_by_hand() -> None:
    # References -1, 0, 1: centre 0, scale sqrt(2/3). One label, at 0: x = (0, 1), X'X = diag(0, 1), whose
    # trace over two, times a ridge of 2, is 1: A = diag(1, 2). A candidate at 1: x = (sqrt 1.5, 1),
    # x'A^-1 x = 1.5 + .5 = 2, so each reference loses (r'A^-1 x)^2 / 3: for -1, 0 and 1 (-1)^2, .5^2, 2^2.
    points = np.array([[-1.0], [0.0], [1.0]])
    known = Labelled(np.zeros((1, 1)), np.zeros(1, np.int64), np.ones((1, 1)))
    window = Window(np.ones((3, 1, 1)), points, labelled=known)
    chosen = get_strategy("evr", ridge=2.0).select(window, 3, np.random.default_rng(0))
    assert sorted(chosen.indices[:2].tolist()) == [0, 2]
    # at 0: x = (0, 1), x'A^-1 x = .5, each reference loses .5^2 / 1.5
    np.testing.assert_allclose(chosen.scores, [5.25 / 9, 5.25 / 9, 0.25 / 1.5], rtol=1e-6)


@pytest.mark.parametrize("name", ["expected_error_reduction", "expected_variance_reduction"])
def test_what_was_not_scored_comes_after_in_the_order_of_the_margin(name: str, window: Window) -> None:
    margins = get_strategy("margin").select(window, 25, np.random.default_rng(0)).indices.tolist()
    chosen = get_strategy(name, candidates=5).select(window, 25, np.random.default_rng(0))
    assert sorted(chosen.indices[:5].tolist()) == sorted(margins[:5])
    assert chosen.indices[5:].tolist() == margins[5:]
    assert set(chosen.scores[4:].tolist()) == {chosen.scores[4]}


def test_fewer_outcomes_try_the_likeliest_classes_alone() -> None:
    window = make_window(4, 12, labelled=8, dtype=np.float64)
    probs = np.zeros((12, 1, 4))
    probs[:, 0, :2] = [0.75, 0.25]
    sure = Window(probs, window.emb_BD, labelled=window.labelled)
    two, all_four = (
        get_strategy("eer", outcomes=outcomes).select(sure, 12, np.random.default_rng(0))
        for outcomes in (2, 4)
    )
    assert two.indices.tolist() == all_four.indices.tolist()
    np.testing.assert_allclose(two.scores, all_four.scores, rtol=1e-6, atol=1e-9)


class LeastSquares(ClassifierMixin, BaseEstimator):
    """The surrogate as a scikit-learn classifier, fitted from scratch, for other libraries to use."""

    def __init__(self, scratch: Scratch, count: int) -> None:
        self.scratch, self.count = scratch, count

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: object = None) -> "LeastSquares":
        self.seen_, self.classes_ = (X, y.astype(int)), np.arange(self.count)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return self.scratch.probs(*self.seen_, self.count, X)

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.predict_proba(X).argmax(axis=1)


@pytest.fixture
def _quiet() -> Generator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.usefixtures("_quiet")
def test_it_agrees_with_scikit_activeml_where_the_model_is_the_surrogate() -> None:
    from skactiveml.classifier import SklearnClassifier
    from skactiveml.pool import MonteCarloEER

    window = make_window(5, 15, labelled=10, dtype=np.float64)
    known, scratch = window.labelled, Scratch.of(window)
    assert known is not None
    chances = scratch.probs(known.emb_LD, known.classes_L, 4, window.emb_BD)
    same = Window(chances[:, None], window.emb_BD, labelled=known)
    for loss, theirs in (("log", "log_loss"), ("error", "misclassification_loss")):
        chosen = get_strategy("eer", loss=loss, ridge=RIDGE).select(same, 15, np.random.default_rng(0))
        _, utilities = MonteCarloEER(method=theirs, random_state=0).query(
            X=known.emb_LD,
            y=known.classes_L.astype(float),
            clf=SklearnClassifier(LeastSquares(scratch, 4), classes=[0, 1, 2, 3]),
            candidates=window.emb_BD,
            X_eval=window.emb_BD,
            fit_clf=True,
            ignore_partial_fit=True,
            return_utilities=True,
        )
        # Theirs is minus the expected loss, summed over the references; ours is what the loss falls by, as a
        # mean: the order is the same, and so are the differences but for the factor.
        ours = np.empty(15)
        ours[chosen.indices] = chosen.scores
        np.testing.assert_allclose(15 * (ours - ours.max()), utilities[0] - utilities[0].max(), atol=1e-5)
