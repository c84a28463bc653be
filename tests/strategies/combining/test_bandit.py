"""The bandit: its probabilities by hand from Exp4.P, what it learns, and what it makes of missing rewards."""

import math
from typing import Any

import numpy as np
import pytest

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import Past, Progress, get_strategy
from siftstream.strategies.combining.bandit import Bandit
from siftstream.strategies.conformance import make_window


def bandit_of(*strategies: Any, **parameters: Any) -> Bandit:
    made = get_strategy("bandit", strategies=strategies or ("margin", "random"), **parameters)
    assert isinstance(made, Bandit)
    return made


def test_weights_are_those_of_exp4p_worked_out_by_hand() -> None:
    # N = 2, T = 50, p_min = 0.1, delta = 0.1: the bonus factor is sqrt(ln(20) / 100) = 0.173085.
    bandit = bandit_of(reward="accuracy", floor=0.1, horizon=50)
    bonus = math.sqrt(math.log(20) / 100)
    assert bandit.chances(()).tolist() == [0.5, 0.5]
    # Round 0, margin, accuracy 0.8 at p = 1/2: margin's weight exp(0.05 (1.6 + 2 bonus)), random's
    # exp(0.05 * 2 bonus); the bonus cancels.
    share = math.exp(0.08) / (math.exp(0.08) + 1)
    first = 0.8 * share + 0.1
    one = Past("margin", 0.5, 0.8)
    np.testing.assert_allclose(bandit.chances((one,)), [first, 1 - first], rtol=1e-6)
    # Round 1, random, accuracy 0.9 at 1 - first.
    two = Past("random", 0.8, 0.9)
    margin = 0.08 + 0.05 * bonus / first
    random = 0.05 * (0.9 / (1 - first) + bonus / (1 - first))
    share = math.exp(margin) / (math.exp(margin) + math.exp(random))
    np.testing.assert_allclose(bandit.chances((one, two))[0], 0.8 * share + 0.1, rtol=1e-6)


def test_the_floor_is_the_papers_unless_one_is_given() -> None:
    assert bandit_of("margin", "random", "entropy", horizon=30).least == pytest.approx(
        math.sqrt(math.log(3) / 90)
    )
    assert bandit_of(horizon=1).least == 0.5  # sqrt(ln 2 / 2) = 0.59 is more than 1 / 2
    assert bandit_of(floor=0.2).least == 0.2


def test_gains_are_scaled_between_the_lowest_and_the_highest_fifth_so_far() -> None:
    bandit = bandit_of(floor=0.1)
    # The first gain has none to compare with: 1/2. Then, with gains 0 and 0.1 known, quantiles 0.02 and 0.08:
    # a gain of 0.1 earns 1.
    same = bandit_of(floor=0.1, reward="accuracy")
    gained = (Past("margin", 0.5, 0.5), Past("random", 0.5, 0.6))
    rewarded = (Past("margin", None, 0.5), Past("random", None, 1.0))
    np.testing.assert_array_equal(bandit.chances(gained), same.chances(rewarded))
    lost = (*gained, Past("margin", 0.6, 0.55))
    np.testing.assert_array_equal(bandit.chances(lost), same.chances((*rewarded, Past("margin", None, 0.0))))


def test_rounds_that_are_not_known_or_not_its_own_teach_nothing() -> None:
    bandit = bandit_of()
    known = (Past("margin", 0.5, 0.6), Past("random", 0.6, 0.6))
    noise = (
        Past("margin", 0.6, None),
        Past("margin", None, 0.6),
        Past("k_center", 0.1, 0.9),
        Past("", 0.1, 0.9),
    )
    np.testing.assert_array_equal(
        bandit.chances(known), bandit.chances((noise[0], known[0], *noise, known[1]))
    )


def test_it_learns_which_strategy_pays_and_forgets_none() -> None:
    # A world in which margin adds 0.02 a round and the others nothing, seen through noise.
    bandit = bandit_of("random", "margin", "entropy", horizon=400)
    rng, window, past, accuracy = np.random.default_rng(0), make_window(0, 8), [], 0.3
    for number in range(400):
        progress = Progress(number, 0, tuple(past))
        chosen = bandit.select(window.but(progress=progress), 1, rng).by
        after = accuracy + 0.02 * (chosen == "margin") + rng.normal(0, 0.01)
        past.append(Past(chosen, accuracy, after))
        accuracy = after if number % 20 else 0.3
    chances = bandit.chances(tuple(past))
    held = [one.strategy for one in past]
    assert chances[1] > 0.7
    assert chances.min() >= bandit.least - 1e-6
    assert held[200:].count("margin") > 1.5 * held[:100].count("margin")


def test_arms_are_drawn_as_often_as_their_chances_say() -> None:
    bandit = bandit_of(reward="accuracy", floor=0.1, horizon=10)
    past = tuple(Past("margin", 0.5, 0.9) for _ in range(20))
    chance = bandit.chances(past)[0]
    rng = np.random.default_rng(1)
    drawn = [bandit.turn(Progress(20, 0, past), rng).label for _ in range(2000)]
    assert abs(drawn.count("margin") / 2000 - chance) < 4 * math.sqrt(chance * (1 - chance) / 2000)
    assert 0.6 < chance < 0.9


def test_chances_are_probabilities_after_any_history() -> None:
    rng = np.random.default_rng(2)
    bandit = bandit_of("margin", "random", "entropy", "ratio", horizon=20)
    for _ in range(20):
        names = rng.choice(["margin", "random", "entropy", "ratio"], 200)
        values = rng.random((200, 2))
        past = tuple(Past(str(name), *pair) for name, pair in zip(names, values.tolist(), strict=True))
        chances = bandit.chances(past)
        assert chances.sum() == pytest.approx(1.0, abs=1e-6)
        assert (chances >= bandit.least - 1e-6).all()


def test_a_bandit_in_a_schedule_learns_from_its_own_rounds_alone() -> None:
    inner = {"name": "bandit", "strategies": ["margin", "random"], "reward": "accuracy", "floor": 0.05,
             "horizon": 100}  # fmt: skip
    schedule = get_strategy("schedule", steps=[{"strategy": "margin", "rounds": 30}, inner])
    window = make_window(0, 6)
    before = tuple(Past("margin", 0.5, 1.0) for _ in range(30))
    taught = tuple(Past("bandit/random", 0.5, 1.0) for _ in range(100))

    def drawn(past: tuple[Past, ...]) -> float:
        told = window.but(progress=Progress(len(past), 0, past))
        names = [schedule.select(told, 1, np.random.default_rng(seed)).by for seed in range(200)]
        return names.count("bandit/margin") / 200

    assert 0.35 < drawn(before) < 0.65  # the schedule's margin taught it nothing
    assert drawn((*before, *taught)) < 0.2


def test_arms_of_a_bandit_of_bandits_are_counted_by_the_head_of_their_path() -> None:
    inner = {"name": "bandit", "strategies": ["margin", "entropy"]}
    outer = bandit_of(inner, "random")
    flat = bandit_of("k_center", "random")
    nested = (Past("bandit/margin", 0.5, 0.6), Past("random", 0.6, 0.6), Past("bandit/entropy", 0.6, 0.8))
    plain = (Past("k_center", 0.5, 0.6), Past("random", 0.6, 0.6), Past("k_center", 0.6, 0.8))
    np.testing.assert_array_equal(outer.chances(nested), flat.chances(plain))


def test_a_floor_that_leaves_nothing_to_choose_is_refused() -> None:
    with pytest.raises(
        StrategyError, match=r"bandit: a floor of 0\.4 for each of 3 strategies .* at most 0\.333"
    ):
        bandit_of("margin", "random", "entropy", floor=0.4)
    with pytest.raises(StrategyError, match="at least 2 items"):
        bandit_of("margin")
