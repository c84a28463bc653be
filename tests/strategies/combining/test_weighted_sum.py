"""A weighted sum adds scores that were made comparable, and refuses strategies that have none to add."""

from typing import Any

import numpy as np
import pytest

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import Need, Window, get_strategy
from siftstream.strategies.combining.weighted_sum import ranks

# Margins 1 - (0.9 - 0.1), 1 - (0.6 - 0.4), 1 - (0.75 - 0.25): 0.2, 0.8, 0.5; least confidence 0.1, 0.4, 0.25.
PROBS_BC = np.array([[0.9, 0.1], [0.6, 0.4], [0.75, 0.25]])
# Margins 0.2, 0.7, 1.0; least confidence 0.4, 0.5, 0.5.
OTHERS_BC = np.array([[0.6, 0.4, 0.0][::-1], [0.5, 0.3, 0.2], [0.5, 0.5, 0.0]])


def scores_of(probs_BC: Any, **parameters: Any) -> list[float]:
    window = Window(probs_BC[:, None, :], np.zeros((len(probs_BC), 0)))
    chosen = get_strategy("weighted_sum", **parameters).select(
        window, len(probs_BC), np.random.default_rng(0)
    )
    return chosen.scores[np.argsort(chosen.indices)].tolist()


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        # As they are: 2 m + l / 2.
        ("none", [2 * 0.2 + 0.05, 2 * 0.8 + 0.2, 2 * 0.5 + 0.125]),
        # From lowest to highest: margins 0, 1, 1/2, least confidences the same.
        ("minmax", [0.0, 2.5, 1.25]),
        ("rank", [0.0, 2.5, 1.25]),
    ],
)
def test_the_sum_is_of_weighted_scores_on_one_scale(scale: str, expected: list[float]) -> None:
    strategies = [{"name": "margin", "weight": 2}, {"name": "least_confidence", "weight": 0.5}]
    np.testing.assert_allclose(scores_of(PROBS_BC, strategies=strategies, scale=scale), expected, atol=1e-12)


def test_ties_share_their_ranks() -> None:
    # Margins 0.8, 0.8, 1.0: ranks 1/4, 1/4, 1. Least confidences 0.4, 0.5, 0.5: 0, 3/4, 3/4.
    scores = scores_of(OTHERS_BC, strategies=["margin", "least_confidence"])
    np.testing.assert_allclose(scores, [0.25, 1.0, 1.75])
    assert ranks(np.zeros(5)).tolist() == [0.5] * 5
    assert ranks(np.array([3.0])).tolist() == [0.5]


def test_ranks_do_not_hang_on_the_scale_of_a_score_and_minmax_does_not_on_its_units() -> None:
    scores = np.random.default_rng(0).normal(size=100)
    np.testing.assert_array_equal(ranks(scores), ranks(np.exp(5 * scores)))


def test_one_strategy_alone_ranks_as_itself() -> None:
    probs = np.random.default_rng(3).dirichlet(np.ones(4), (60, 1))
    window = Window(probs, np.zeros((60, 0)))
    alone = get_strategy("entropy").select(window, 60, np.random.default_rng(5))
    for scale in ("rank", "minmax", "none"):
        summed = get_strategy("weighted_sum", strategies=["entropy"], scale=scale)
        got = summed.select(window, 60, np.random.default_rng(5))
        assert got.indices.tolist() == alone.indices.tolist()


def test_what_chooses_a_batch_as_a_whole_is_refused() -> None:
    with pytest.raises(
        StrategyError, match=r"weighted_sum: k_center chooses a batch as a whole .* rank_fusion"
    ):
        get_strategy("weighted_sum", strategies=["margin", "k_center"])


@pytest.mark.parametrize(
    ("strategies", "words"),
    [
        ([], "at least 1 item"),
        ([{"name": "margin", "weight": 0}], r"strategies\.0\.weight.*greater than 0"),
        ([{"weight": 2}], "a strategy is a name, or a mapping with `name`"),
        (["marginn"], "did you mean margin"),
        ([{"name": "margin", "heat": 2}], "'margin': no parameter 'heat'"),
    ],
)
def test_a_wrong_list_is_refused(strategies: list[Any], words: str) -> None:
    with pytest.raises(StrategyError, match=words):
        get_strategy("weighted_sum", strategies=strategies)


def test_it_reads_what_any_of_them_reads() -> None:
    summed = get_strategy(
        "weighted_sum", strategies=["margin", {"name": "ratio", "class_weight": "balanced"}]
    )
    assert summed.reads == {Need.PROBS, Need.LABELLED}
    assert summed.needs_embeddings


def test_a_weight_that_is_the_strategys_own_parameter_can_be_told_apart() -> None:
    summed = get_strategy("weighted_sum", strategies=[{"strategy": {"name": "margin"}, "weight": 3}])
    assert summed == get_strategy("weighted_sum", strategies=[{"name": "margin", "weight": 3}])
