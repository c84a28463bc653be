"""The uncertainty family agrees with scikit-activeml, modAL, small-text and baal on random probabilities.

What differs: their margin is the gap itself and ours 1 minus it; least confidence in small-text and baal is
the highest probability and ours 1 minus it, as in scikit-activeml and modAL. Entropies are all in nats.
Ratio of confidence is in none of them: it is held to its definition.
"""

import warnings
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from siftstream.strategies import Window, get_strategy

Scores = NDArray[np.float64]
Score = Callable[[Any], Scores]


def inverted(score: Score) -> Score:
    return lambda probs_BC: 1.0 - score(probs_BC)


def of_modal(name: str) -> Score:
    from modAL import uncertainty

    return lambda probs_BC: getattr(uncertainty, name)(
        SimpleNamespace(predict_proba=lambda rows: rows), probs_BC
    )


def of_skactiveml(method: str) -> Score:
    from skactiveml.pool import uncertainty_scores

    return lambda probs_BC: uncertainty_scores(probs_BC, method=method)


def of_small_text(name: str) -> Score:
    from small_text.query_strategies import strategies

    strategy = getattr(strategies, name)()
    return lambda probs_BC: strategy.get_confidence(
        SimpleNamespace(predict_proba=lambda rows: rows), probs_BC, None, None, None
    )


def of_baal(name: str) -> Score:
    from baal.active import heuristics

    heuristic = getattr(heuristics, name)()
    return lambda probs_BC: heuristic.get_uncertainties(probs_BC)


def ratio_by_definition(probs_BC: Any) -> Scores:
    falling = -np.sort(-probs_BC, axis=1)
    return falling[:, 1] / falling[:, 0]


CASES: list[tuple[str, str, Callable[[], Score]]] = [
    ("least_confidence", "scikit-activeml", lambda: of_skactiveml("least_confident")),
    ("least_confidence", "modAL", lambda: of_modal("classifier_uncertainty")),
    ("least_confidence", "small-text", lambda: inverted(of_small_text("LeastConfidence"))),
    ("least_confidence", "baal", lambda: inverted(of_baal("Certainty"))),
    # scikit-activeml's margin is 1 - gap, as ours.
    ("margin", "scikit-activeml", lambda: of_skactiveml("margin_sampling")),
    ("margin", "modAL", lambda: inverted(of_modal("classifier_margin"))),
    ("margin", "small-text", lambda: inverted(of_small_text("BreakingTies"))),
    ("margin", "baal", lambda: inverted(of_baal("Margin"))),
    ("entropy", "scikit-activeml", lambda: of_skactiveml("entropy")),
    ("entropy", "modAL", lambda: of_modal("classifier_entropy")),
    ("entropy", "small-text", lambda: of_small_text("PredictionEntropy")),
    ("entropy", "baal", lambda: of_baal("Entropy")),
    ("ratio", "its definition", lambda: ratio_by_definition),
]


@pytest.fixture(scope="module", autouse=True)
def imported() -> list[ModuleType]:
    """Import all of them once, with what they say on import unheard."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import baal.active.heuristics
        import modAL.uncertainty
        import skactiveml.pool
        import small_text.query_strategies.strategies

        return [baal, modAL, skactiveml, small_text]


@pytest.mark.parametrize("classes", [2, 3, 17])
@pytest.mark.parametrize(("name", "library", "theirs"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES])
def test_scores_and_ranking_are_those_of(
    name: str, library: str, theirs: Callable[[], Score], classes: int
) -> None:
    del library
    probs_BC = np.random.default_rng(classes).dirichlet(np.full(classes, 0.7), 300)
    window = Window(probs_BC[:, None, :], np.zeros((300, 0)))
    chosen = get_strategy(name).select(window, 300, np.random.default_rng(0))
    expected_B = theirs()(probs_BC.copy())
    np.testing.assert_allclose(chosen.scores, expected_B[chosen.indices], rtol=1e-9, atol=1e-12)
    # Equal to the last bit but for roundings: rows closer than those may swap.
    assert (np.diff(expected_B[chosen.indices]) < 1e-12).all()
    if classes > 2:
        np.testing.assert_array_equal(chosen.indices, np.argsort(-expected_B))


def test_the_four_rank_alike_where_there_are_two_classes() -> None:
    probs_BC = np.random.default_rng(4).dirichlet(np.ones(2), 200)
    window = Window(probs_BC[:, None, :], np.zeros((200, 0)))
    rankings = {
        tuple(get_strategy(name).select(window, 200, np.random.default_rng(0)).indices.tolist())
        for name in ("least_confidence", "margin", "ratio", "entropy")
    }
    assert len(rankings) == 1
