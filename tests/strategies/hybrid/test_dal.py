"""DAL: its classifier, its parts, and scikit-activeml's.

small-text's DiscriminativeActiveLearning trains text classifiers on a random subset of its own, so that there
is nothing to compare with: its parts are of equal size, the last the largest; ours differ by one at most.
"""

import warnings
from typing import Any

import numpy as np
import pytest

from siftstream.strategies import Window, get_strategy
from siftstream.strategies.hybrid.logistic import Discriminator


def window_of(emb_BD: np.ndarray, covered_ND: np.ndarray) -> Window:
    return Window(np.ones((len(emb_BD), 1, 1)), emb_BD, covered_ND)


@pytest.mark.parametrize("ridge", [1e-4, 1.0, 100.0])
def test_the_classifier_is_scikit_learns(ridge: float) -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    ones, others = rng.normal(0, 3, (90, 6)), rng.normal(1, 3, (25, 6))
    ours = Discriminator.between(ones, others, ridge)
    points = np.concatenate([ones, others])
    scaled = (points - points.mean(axis=0)) / np.sqrt(((points - points.mean(axis=0)) ** 2).mean())
    theirs = LogisticRegression(C=1 / ridge, class_weight="balanced", tol=1e-12, max_iter=10_000)
    theirs.fit(scaled, np.repeat([1, 0], [90, 25]))
    np.testing.assert_allclose(ours.log_odds(points), theirs.decision_function(scaled), rtol=1e-4, atol=1e-5)


def test_the_classifier_is_at_its_optimum_in_one_dimension() -> None:
    # Points 1 and -1, one of each side: mean 0, scale 1, weights 1; the optimum has slope
    # s = 2 / (1 + e^s) for ridge 1, that is s = .7717.
    found = Discriminator.between(np.array([[1.0]]), np.array([[-1.0]]), 1.0)
    slope = float(found.slope_D[0])
    assert slope == pytest.approx(2 / (1 + np.exp(slope)), rel=1e-9)
    assert found.offset == pytest.approx(0.0, abs=1e-9)


def test_sides_that_a_line_parts_still_have_an_optimum() -> None:
    found = Discriminator.between(np.full((500, 2), 1e3), np.full((3, 2), -1e3), 1e-6)
    assert np.isfinite(found.log_odds(np.array([[1e3, 1e3], [-1e3, 0.0]]))).all()


def test_samples_unlike_the_covered_come_first() -> None:
    rng = np.random.default_rng(0)
    emb_BD = np.concatenate([rng.normal(0, 1, (60, 3)), rng.normal(6, 1, (20, 3))])
    chosen = get_strategy("dal", sub_batches=1).select(window_of(emb_BD, rng.normal(0, 1, (30, 3))), 10, rng)
    assert min(chosen.indices) >= 60


def test_after_each_part_what_was_chosen_changes_sides() -> None:
    # Two kinds that are both unlike the covered: one part takes the farther kind alone, ten take both.
    rng = np.random.default_rng(1)
    kinds = np.concatenate([rng.normal([9, 0], 0.1, (40, 2)), rng.normal([0, 8], 0.1, (40, 2))])
    window = window_of(np.concatenate([kinds, rng.normal(0, 0.1, (40, 2))]), rng.normal(0, 0.1, (40, 2)))
    at_once = get_strategy("dal", sub_batches=1).select(window, 20, np.random.default_rng(0)).indices
    in_parts = get_strategy("dal", sub_batches=10).select(window, 20, np.random.default_rng(0)).indices
    assert min((at_once < 40).sum(), ((at_once >= 40) & (at_once < 80)).sum()) == 0
    assert min((in_parts < 40).sum(), ((in_parts >= 40) & (in_parts < 80)).sum()) >= 5


def test_a_bounded_sample_of_either_side_is_enough() -> None:
    rng = np.random.default_rng(2)
    emb_BD = np.concatenate([rng.normal(0, 1, (900, 3)), rng.normal(6, 1, (300, 3))])
    window = window_of(emb_BD, rng.normal(0, 1, (500, 3)))
    chosen = get_strategy("dal", sub_batches=1, sample=100).select(window, 50, rng)
    assert min(chosen.indices) >= 900


def test_the_order_is_that_of_scikit_activeml() -> None:
    # Known differences: its discriminator is the caller's (here the same logistic regression on the same
    # scale), its utilities are chances, ours log-odds; it fits anew for each sample or never within a batch.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skactiveml.classifier import SklearnClassifier
        from skactiveml.pool import DiscriminativeAL
        from sklearn.linear_model import LogisticRegression
    rng = np.random.default_rng(3)
    emb_BD, covered_ND = rng.normal(0.5, 1, (80, 5)), rng.normal(0, 1, (25, 5))
    points = np.concatenate([emb_BD, covered_ND])
    scaled: Any = (points - points.mean(axis=0)) / np.sqrt(((points - points.mean(axis=0)) ** 2).mean())
    regression = LogisticRegression(class_weight="balanced", tol=1e-12, max_iter=10_000)
    _, theirs = DiscriminativeAL(greedy_selection=True, random_state=0).query(
        scaled, np.r_[np.full(80, np.nan), np.zeros(25)], SklearnClassifier(regression, classes=[0, 1]),
        batch_size=1, return_utilities=True,
    )  # fmt: skip
    ours = get_strategy("dal", sub_batches=1).select(window_of(emb_BD, covered_ND), 80, rng)
    chances = theirs[0, ours.indices]
    np.testing.assert_allclose(ours.scores, np.log(chances / (1 - chances)), rtol=1e-4, atol=1e-5)
