"""Decisions worked out by hand from each paper's rule."""

import math

import numpy as np
import pytest

from siftstream.strategies import Window
from siftstream.strategies.rules import Decision, StreamRule, get_rule
from siftstream.strategies.rules.draws import draws_of, normal_of


def stream_of(confidence: list[float], emb: list[float] | None = None) -> Window:
    sure = np.array(confidence)
    points = np.zeros((len(sure), 0)) if emb is None else np.array(emb)[:, None]
    return Window(np.stack([sure, 1 - sure], axis=1)[:, None], points)


def decide(rule: StreamRule, window: Window, seed: int = 0) -> Decision:
    return rule.decide(window, rule.start(np.random.default_rng(seed)))


def test_fixed_uncertainty_takes_its_threshold_from_budget_and_classes() -> None:
    # two classes and a budget of .2: 1/2 + .2 (1 - 1/2) = .6
    rule = get_rule("fixed_uncertainty", budget=0.2)
    assert decide(rule, stream_of([0.61, 0.59, 0.99])).rows.tolist() == [1]
    assert decide(get_rule("fixed_uncertainty", threshold=0.9), stream_of([0.89, 0.9])).rows.tolist() == [0]


def test_spending_is_forgotten_by_a_share_at_each_sample() -> None:
    # w = 2, budget .4: ask while u / 2 < .4; u after each: 1, .5, 1.25, .625, 1.3125
    rule = get_rule("fixed_uncertainty", budget=0.4, threshold=1.0, memory=2)
    after = decide(rule, stream_of([0.5] * 5))
    assert after.taken_B.tolist() == [True, False, True, False, True]
    assert after.state.spent == 1.3125
    assert (after.state.seen, after.state.asked) == (5, 3)


def test_without_a_memory_spending_is_counted_exactly() -> None:
    # asked / seen, the sample itself counted: 0/1, 1/2, 1/3, 1/4, 2/5 against .3
    rule = get_rule("fixed_uncertainty", budget=0.3, threshold=1.0, memory=None)
    assert decide(rule, stream_of([0.5] * 5)).taken_B.tolist() == [True, False, False, True, False]


def test_the_variable_threshold_rises_and_falls_and_rests_while_the_budget_is_spent() -> None:
    # s = .1, w = 2, budget .4. 1: .95 < 1 ask, t = .9, u = 1. 2: spent, u = .5. 3: .95 no, t = .99, u = .25.
    # 4: .95 < .99 ask, t = .891
    rule = get_rule("variable_uncertainty", budget=0.4, step=0.1, memory=2)
    after = decide(rule, stream_of([0.95] * 4))
    assert after.taken_B.tolist() == [True, False, False, True]
    assert after.state.threshold == pytest.approx(0.891)


def test_the_random_threshold_is_drawn_around_the_variable_one() -> None:
    rule = get_rule("randomised_variable_uncertainty", budget=1.0, spread=0.5)
    state = rule.start(np.random.default_rng(3))
    draws, threshold, expected = draws_of(state.seed, 0, 50), 1.0, []
    for first, second, *_ in draws:
        normal = math.sqrt(-2 * math.log(1 - first)) * math.cos(2 * math.pi * second)
        expected.append(bool(threshold * (1 + 0.5 * normal) > 0.8))
        threshold *= 0.99 if expected[-1] else 1.01
    assert rule.decide(stream_of([0.8] * 50), state).taken_B.tolist() == expected
    assert 10 < sum(expected) < 45


def test_split_moves_its_threshold_only_in_the_part_that_is_not_random() -> None:
    rule = get_rule("split", budget=1.0, random_share=0.3, step=0.1)
    state = rule.start(np.random.default_rng(1))
    at_random = draws_of(state.seed, 0, 40)[:, 0] < 0.3
    threshold, expected = 1.0, []
    for random in at_random:
        expected.append(bool(random or threshold > 0.9))  # with a budget of 1 the random part always asks
        if not random:
            threshold *= 0.9 if expected[-1] else 1.1
    after = rule.decide(stream_of([0.9] * 40), state)
    assert after.taken_B.tolist() == expected
    assert 0 < at_random.sum() < 40
    assert not all(expected)


def test_the_quantile_filter_lowers_its_bar_when_it_is_behind() -> None:
    # Margin of (p, 1 - p) is 2 (1 - p): values .2, .4, .1, .36. Budget .5, tolerance 2, no label at first.
    # 1: bar .2 - 0: ask (1). 2: median .3, range .2, left 0: bar .3, ask (2). 3: median .2, range .3,
    # left -.5: bar .275, no. 4: median .28, range .3, left 0: bar .28, ask.
    rule = get_rule("biqf", budget=0.5, tolerance=2.0)
    after = decide(rule, stream_of([0.9, 0.8, 0.95, 0.82]))
    assert after.taken_B.tolist() == [True, True, False, True]


def test_the_quantile_filter_stops_at_its_tolerance_where_all_are_equal() -> None:
    asked = np.cumsum(decide(get_rule("biqf", budget=0.1, tolerance=5.0), stream_of([0.7] * 300)).taken_B)
    ahead = asked - 0.1 * np.arange(1, 301)
    assert ahead.max() <= 5.0 + 0.9 + 1e-9
    assert asked[-1] == 35


def test_density_passes_over_a_sample_that_is_nobodys_nearest_neighbour() -> None:
    # 0; 1 is nearest to 0; 5 is farther from both than they are from one another; 1.5 is nearest to 1 and 5
    rule = get_rule("density_based", budget=1.0, spread=0.0)
    after = decide(rule, stream_of([0.5] * 4, [0.0, 1.0, 5.0, 1.5]))
    assert after.taken_B.tolist() == [False, True, False, True]


def test_density_forgets_what_left_the_last_samples() -> None:
    rule = get_rule("density_based", budget=1.0, spread=0.0, last=2)
    # 1 is close to 0, but then 9 and 9.5 push both out; 1.1 is farther from them than they from one another
    after = decide(rule, stream_of([0.5] * 5, [0.0, 1.0, 9.0, 9.5, 1.1]))
    assert after.taken_B.tolist() == [False, True, False, True, False]


def test_density_begins_anew_with_embeddings_of_another_width() -> None:
    rule = get_rule("density_based", budget=1.0, spread=0.0)
    first = decide(rule, stream_of([0.5] * 3, [0.0, 1.0, 2.0]))
    wider = Window(np.full((2, 1, 2), 0.5), np.array([[0.0, 0.0], [1.0, 1.0]]))
    assert rule.decide(wider, first.state).taken_B.tolist() == [False, True]


def test_periodic_asks_for_every_so_many_th() -> None:
    rows = decide(get_rule("periodic", budget=0.2), stream_of([0.5] * 100)).rows
    assert len(rows) == 20
    assert set(np.diff(rows).tolist()) == {5}


def test_the_normal_numbers_are_normal() -> None:
    normals = np.array([normal_of(a, b) for a, b, *_ in draws_of(1, 0, 4000).tolist()])
    assert abs(normals.mean()) < 0.06
    assert abs(normals.std() - 1) < 0.05
    assert np.mean(np.abs(normals) < 1.96) == pytest.approx(0.95, abs=0.02)
