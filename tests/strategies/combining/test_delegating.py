"""Schedule, switch and partitions: who holds a round, what the log calls it, and how they nest."""

from typing import Any

import numpy as np
import pytest

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import Need, Past, Progress, Strategy, Window, get_strategy
from siftstream.strategies.conformance import make_window

RNG = np.random.default_rng


def by(strategy: Strategy, progress: Progress, seed: int = 0) -> str:
    return strategy.select(make_window(0, 9).but(progress=progress), 2, RNG(seed)).by


def history(*after: float | None, before: float = 0.5, strategy: str = "margin") -> Progress:
    past: list[Past] = []
    for value in after:
        past.append(Past(strategy, before, value))
        before = before if value is None else value
    return Progress(len(past), 0, tuple(past))


def test_a_schedule_follows_the_rounds() -> None:
    steps = [{"strategy": "random", "rounds": 2}, {"strategy": "margin", "rounds": 1}, "k_center"]
    schedule = get_strategy("schedule", steps=steps)
    chose = [by(schedule, Progress(number)) for number in (0, 1, 2, 3, 1000)]
    assert chose == ["random", "random", "margin", "k_center", "k_center"]


def test_the_last_step_holds_for_ever_even_with_a_number() -> None:
    schedule = get_strategy("schedule", steps=[{"strategy": "margin", "rounds": 1}])
    assert by(schedule, Progress(50)) == "margin"


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([], "at least 1 item"),
        (["margin", "random"], r"schedule: step 0 \(margin\) says no rounds; only the last may"),
        ([{"strategy": "margin", "rounds": 0}], r"steps\.0\.rounds.*greater than 0"),
        ([{"strategy": "margin", "turns": 3}], r"steps\.0\.turns"),
    ],
)
def test_a_wrong_schedule_is_refused(steps: list[Any], words: str) -> None:
    with pytest.raises(StrategyError, match=words):
        get_strategy("schedule", steps=steps)


@pytest.mark.parametrize("seed", range(3))
def test_the_answer_is_what_the_strategy_alone_would_give(seed: int) -> None:
    window = make_window(seed, 40, covered=3)
    for name in ("margin", "k_center", "random"):
        alone = get_strategy(name).select(window, 7, RNG(seed))
        for strategy in (
            get_strategy("schedule", steps=[name]),
            get_strategy("by_partition", strategies=["entropy", name]),  # the window is of partition 1
            get_strategy("switch_when_stalled", first=name, then="entropy"),
        ):
            handed = strategy.select(window, 7, RNG(seed))
            assert handed.indices.tolist() == alone.indices.tolist()
            assert handed.scores.tolist() == alone.scores.tolist()
            assert handed.by == name


def test_it_switches_when_the_last_rounds_added_too_little() -> None:
    switch = get_strategy("switch_when_stalled", first="margin", then="random", least_gain=0.02, patience=2)
    assert by(switch, history()) == "margin"
    assert by(switch, history(0.51)) == "margin"  # one round is no two
    assert by(switch, history(0.51, 0.53)) == "margin"  # + 0.03
    assert by(switch, history(0.505, 0.515)) == "random"  # + 0.015
    assert by(switch, history(0.51, 0.53, 0.525)) == "random"  # 0.525 - 0.51


def test_once_switched_it_stays_whatever_comes() -> None:
    switch = get_strategy("switch_when_stalled", first="margin", then="random", least_gain=0.02, patience=1)
    assert by(switch, history(0.6, 0.6, 0.7, 0.8, 0.9)) == "random"
    late = Progress(2, 0, (Past("margin", 0.5, 0.9), Past("random", 0.9, 0.99)))  # a window that forgot why
    assert by(switch, late) == "random"


def test_a_round_whose_accuracy_is_not_known_is_waited_for() -> None:
    switch = get_strategy("switch_when_stalled", first="margin", then="random", least_gain=0.02, patience=1)
    assert by(switch, history(0.6, None)) == "margin"
    assert by(switch, history(0.6, None, 0.6)) == "margin"
    assert by(switch, history(0.6, 0.6, None)) == "random"


def test_partitions_have_their_strategies_in_turn_unless_one_is_named() -> None:
    strategy = get_strategy("by_partition", strategies=["margin", "random"], partitions={"2": "k_center"})
    assert [by(strategy, Progress(0, number)) for number in range(5)] == [
        "margin", "random", "k_center", "random", "margin",
    ]  # fmt: skip


def test_two_of_one_name_are_told_apart() -> None:
    steps = [{"strategy": "margin", "rounds": 1}, {"strategy": {"name": "margin", "temperature": 2.0}}]
    schedule = get_strategy("schedule", steps=steps)
    assert [by(schedule, Progress(number)) for number in (0, 1)] == ["margin", "margin#2"]


def test_nested_ones_name_the_whole_path_and_count_their_own_rounds() -> None:
    inner = {"name": "schedule", "steps": [{"strategy": "random", "rounds": 2}, "entropy"]}
    outer = get_strategy("schedule", steps=[{"strategy": "margin", "rounds": 3}, inner])
    chose = [by(outer, Progress(number)) for number in (2, 3, 4, 5)]
    assert chose == ["margin", "schedule/random", "schedule/random", "schedule/entropy"]


def test_a_nested_switch_judges_the_rounds_that_were_its_own() -> None:
    switch = {
        "name": "switch_when_stalled", "first": "margin", "then": "random", "least_gain": 0.02, "patience": 1
    }  # fmt: skip
    schedule = get_strategy("schedule", steps=[{"strategy": "k_center", "rounds": 2}, switch])
    stalled = (Past("k_center", 0.5, 0.5), Past("k_center", 0.5, 0.5))
    rose = Past("switch_when_stalled/margin", 0.5, 0.6)
    flat = Past("switch_when_stalled/margin", 0.6, 0.6)
    assert by(schedule, Progress(2, 0, stalled)) == "switch_when_stalled/margin"
    assert by(schedule, Progress(3, 0, (*stalled, rose))) == "switch_when_stalled/margin"
    assert by(schedule, Progress(4, 0, (*stalled, rose, flat))) == "switch_when_stalled/random"
    later = Past("switch_when_stalled/random", 0.6, 0.9)
    assert by(schedule, Progress(5, 0, (*stalled, rose, flat, later))) == "switch_when_stalled/random"


def test_what_stands_between_passes_the_name_on() -> None:
    bandit = {"name": "bandit", "strategies": ["margin", "entropy"]}
    between = {"name": "random_then", "strategy": bandit, "random_share": 0.5}
    schedule = get_strategy("schedule", steps=[between])
    assert by(schedule, Progress()) in ("random_then/margin", "random_then/entropy")


def test_all_that_any_of_them_reads_must_be_there_from_the_first_round() -> None:
    schedule = get_strategy(
        "schedule",
        steps=[
            {"strategy": "random", "rounds": 2},
            "margin",
        ],
    )
    assert schedule.reads == {Need.PROBS}
    assert not schedule.needs_embeddings
    assert get_strategy("switch_when_stalled", first="margin", then="k_center").needs_embeddings
    with pytest.raises(StrategyError, match="schedule: needs probs"):
        schedule.select(make_window(0, 4, without=Need.PROBS), 1, RNG(0))


def test_handing_on_gathers_nothing_that_the_strategy_does_not_read() -> None:
    seen: list[Window] = []

    class Watching(type(get_strategy("margin"))):  # type: ignore[misc]
        def score_rows(self, window: Window) -> Any:
            seen.append(window)
            return super().score_rows(window)

    get_strategy("schedule", steps=[Watching()]).select(make_window(0, 9), 2, RNG(0))
    assert seen
    assert all("emb_BD" not in vars(window) for window in seen)
