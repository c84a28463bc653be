"""Committee scores computed by hand from each paper's formula, and what is special to them."""

import math

import numpy as np
import pytest

from siftstream.strategies import Window, get_strategy

LOG2, LOG3 = math.log(2), math.log(3)


def window_of(probs_BMC: object, dtype: type = np.float32) -> Window:
    probs = np.asarray(probs_BMC, dtype)
    return Window(probs, np.zeros((len(probs), 1), np.float32))


def scores_of(name: str, window: Window, **parameters: object) -> np.ndarray:
    chosen = get_strategy(name, **parameters).select(window, len(window), np.random.default_rng(0))
    scores_B = np.empty(len(window))
    scores_B[chosen.indices] = chosen.scores
    return scores_B


# Four members, three classes. Row 0: votes 2, 1, 1. Row 1: votes 4, 0, 0. Row 2: votes 2, 2, 0.
ROWS = [
    [[0.8, 0.1, 0.1], [0.6, 0.2, 0.2], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]],
    [[0.7, 0.2, 0.1], [0.7, 0.2, 0.1], [0.7, 0.2, 0.1], [0.7, 0.2, 0.1]],
    [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]],
]


def h(*probs: float) -> float:
    return -sum(p * math.log(p) for p in probs if p)


BALD = [  # H(mean) - mean H; the mean of row 0 is (1.6, 1.2, 1.2) / 4
    h(0.4, 0.3, 0.3) - (3 * h(0.8, 0.1, 0.1) + h(0.6, 0.2, 0.2)) / 4,
    0.0,
    LOG2,
]


@pytest.mark.parametrize(
    ("name", "scores"),
    [
        ("vote_entropy", [1.5 * LOG2, 0.0, LOG2]),  # 1/2 log 2 + 2 * 1/4 log 4
        ("soft_vote_entropy", [h(0.4, 0.3, 0.3), h(0.7, 0.2, 0.1), LOG2]),
        ("variation_ratios", [0.5, 0.0, 0.5]),
        ("bald", BALD),
        ("mean_kl", BALD),
        # row 0: first class .4, .2, -.3, -.3 off its mean, so (.16 + .04 + .09 + .09) / 4 = .095;
        # second .2, .1, .5, .2 off .3, so (.04 + .01 + .25 + .04) / 4 = .085; the third likewise
        ("mean_std", [(math.sqrt(0.095) + 2 * math.sqrt(0.085)) / 3, 0.0, (0.5 + 0.5) / 3]),
    ],
)
def test_committee_scores_are_those_of_the_formula(name: str, scores: list[float]) -> None:
    np.testing.assert_allclose(scores_of(name, window_of(ROWS)), scores, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", ["vote_entropy", "mean_kl", "variation_ratios", "mean_std", "bald"])
def test_members_that_agree_score_exactly_zero(name: str, dtype: type) -> None:
    rows = np.random.default_rng(0).dirichlet(np.ones(7), 50)
    agreed = np.repeat(rows[:, None, :], 9, axis=1)
    scores = scores_of(name, window_of(agreed, dtype))
    assert scores.tolist() == [0.0] * 50
    assert not np.signbit(scores).any()


def test_soft_vote_entropy_of_one_hot_members_alike_is_exactly_zero() -> None:
    scores = scores_of("soft_vote_entropy", window_of(np.repeat(np.eye(4)[:, None], 3, axis=1)))
    assert scores.tolist() == [0.0] * 4
    assert not np.signbit(scores).any()


def test_soft_vote_entropy_ranks_as_entropy_over_the_same_members() -> None:
    window = window_of(np.random.default_rng(0).dirichlet(np.ones(4), (30, 5)))
    np.testing.assert_allclose(
        scores_of("soft_vote_entropy", window), scores_of("entropy", window), atol=1e-12
    )


def test_a_members_tie_is_a_vote_for_its_first_class() -> None:
    window = window_of([[[0.5, 0.5, 0.0], [0.4, 0.2, 0.4]]])  # both for class 0
    assert scores_of("vote_entropy", window).tolist() == [0.0]


def test_epig_is_the_mean_information_about_the_targets() -> None:
    # Members a and b. p(y) = (1, 0) and (0, 1); p(y*) of the three targets, which are the rows themselves:
    # row 0 the same, so log 2; row 1 is 1/2 by both members, so 0; row 2 is (.9, .1) and (.1, .9), so
    # log 2 - h(.9, .1).
    rows = [[[1, 0], [0, 1]], [[0.5, 0.5], [0.5, 0.5]], [[0.9, 0.1], [0.1, 0.9]]]
    between = LOG2 - h(0.9, 0.1)
    # row 2 with itself: same labels with (.81 + .01) / 2 each, other ones with .09 each
    within = 2 * LOG2 - h(0.41, 0.41, 0.09, 0.09)
    expected = [(LOG2 + 0 + between) / 3, 0.0, (between + 0 + within) / 3]
    np.testing.assert_allclose(scores_of("epig", window_of(rows, np.float64)), expected, atol=1e-6)


def test_epig_passes_over_an_outlier_that_bald_takes() -> None:
    stream = [[[1, 0], [1, 0], [0, 1], [0, 1]]] * 20  # the members part in halves
    outlier = [[[1, 0], [0, 1], [1, 0], [0, 1]]]  # ... and otherwise on it, which no target shares
    window = window_of(stream + outlier)
    assert scores_of("bald", window)[20] == pytest.approx(LOG2)
    gains = scores_of("epig", window)
    assert gains[20] < gains[:20].min() / 10


def test_power_bald_draws_by_its_scores() -> None:
    # BALD log 2 against (log 2 - h(.9, .1)): the first comes first in their share of the draws.
    window = window_of([[[1, 0], [0, 1]], [[0.9, 0.1], [0.1, 0.9]]])
    strategy = get_strategy("power_bald")
    first = [strategy.select(window, 1, np.random.default_rng(seed)).indices[0] for seed in range(2000)]
    share = LOG2 / (2 * LOG2 - h(0.9, 0.1))
    assert np.mean(np.array(first) == 0) == pytest.approx(share, abs=4 * math.sqrt(0.25 / 2000))


@pytest.mark.parametrize(
    ("mode", "chance"),  # of the better of two rows whose margins give scores 1 and .5
    [("power", 1 / 1.5), ("softmax", math.e / (math.e + math.exp(0.5))), ("softrank", 1 / 1.5)],
)
def test_stochastic_draws_by_powers_exponentials_or_ranks(mode: str, chance: float) -> None:
    window = window_of([[[0.5, 0.5]], [[0.75, 0.25]]])
    strategy = get_strategy("stochastic", mode=mode)
    first = [strategy.select(window, 1, np.random.default_rng(seed)).indices[0] for seed in range(2000)]
    assert np.mean(np.array(first) == 0) == pytest.approx(chance, abs=4 * math.sqrt(0.25 / 2000))


def test_stochastic_refuses_a_strategy_without_scores_of_rows() -> None:
    from siftstream.schemas.errors import StrategyError

    with pytest.raises(StrategyError, match="k_center chooses a batch as a whole"):
        get_strategy("stochastic", strategy="k_center")
