"""Any order of arrivals, rounds, labels, recalls, queries and deaths keeps what select promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from siftstream.schemas import Action, Reason
from tests.agents.select.lives import Died, World, last
from tests.agents.select.stream import batch_of

PARTITIONS = 2
TOTAL, HIGH, LOW = 25, 9, 4

configs = st.fixed_dictionaries(
    {
        "window": st.fixed_dictionaries(
            {"size": st.integers(3, 30), "seconds": st.none() | st.floats(5.0, 60.0)}
        ),
        "trigger": st.fixed_dictionaries(
            {
                "every": st.none() | st.integers(2, 12),
                "seconds": st.none() | st.floats(3.0, 40.0),
                "clock": st.sampled_from(["event", "processing"]),
            }
        ),
        "budget": st.fixed_dictionaries(
            {
                "per_round": st.integers(1, 6),
                "total": st.none() | st.just(TOTAL),
                "fraction": st.none() | st.floats(0.05, 1.0),
                "per_hour": st.none() | st.integers(1, 12),
                "clock": st.sampled_from(["event", "processing"]),
                "per_class": st.just({}) | st.just({"a": 3, "*": 5}),
            }
        ),
        "outstanding": st.just({}) | st.just({"low": LOW, "high": HIGH, "ttl": 30.0}),
        "strategy": st.just({"name": "margin"}),
        "audit": st.fixed_dictionaries(
            {"fraction": st.sampled_from([0.0, 0.3, 1.0]), "while_paused": st.booleans()}
        ),
        "seed": st.integers(0, 1000),
    }
)


class Lives(RuleBasedStateMachine):
    """A pipeline whose workers may die at any write."""

    @initialize(config=configs, synchronous=st.booleans())
    def begin(self, config: dict[str, Any], synchronous: bool) -> None:
        self.world = World(config, PARTITIONS, synchronous=synchronous)
        self.clock = 1_000_000.0

    partition = st.integers(0, PARTITIONS - 1)

    def alive(self, p: int, act: Any) -> None:
        """Do something that a death may cut short; the next owner goes on from the log."""
        try:
            act()
        except Died:
            self.world.restart(p)

    @rule(
        p=partition, numbers=st.lists(st.integers(0, 60), min_size=1, max_size=8, unique=True),
        jitter=st.lists(st.floats(-40, 10), min_size=8, max_size=8), dies=st.none() | st.integers(0, 3),
    )  # fmt: skip
    def arrive(self, p: int, numbers: list[int], jitter: list[float], dies: int | None) -> None:
        """A record of samples; some came before, some come late."""
        self.clock += len(numbers)
        ids = [f"{p}-{number}" for number in numbers]
        times = [self.clock + late for late in jitter[: len(ids)]]
        self.world.die_in = dies
        self.alive(p, lambda: self.world.feed(p, batch_of(ids, times=times)))
        self.world.die_in = None

    @rule(p=partition, data=st.data())
    def answer(self, p: int, data: st.DataObject) -> None:
        """Somebody answers a sample that was asked for, perhaps a recalled one, or one never asked for."""
        names = sorted({name for name, _ in self.world.logs[p].selected}) or [f"{p}-1"]
        self.world.answer(p, data.draw(st.sampled_from(names)))

    @rule(p=partition, seconds=st.floats(0, 40), idle=st.booleans(), dies=st.none() | st.integers(0, 3))
    def time_passes(self, p: int, seconds: float, idle: bool, dies: int | None) -> None:
        """The worker looks around."""
        self.world.now += seconds
        self.world.die_in = dies
        self.alive(p, lambda: self.world.care(p, idle=idle))
        self.world.die_in = None

    @rule(action=st.sampled_from([Action.PAUSE, Action.RESUME, Action.RESUME]))
    def say(self, action: Action) -> None:
        """A person pauses or resumes asking."""
        self.world.say(action)

    @rule(p=partition, known=st.none() | st.floats(0, 1))
    def train(self, p: int, known: float | None) -> None:
        """A version comes; perhaps it knew only some of the answers."""
        answers = [len(log.answers) for log in self.world.logs]
        self.world.train(None if known is None else [int(known * count) for count in answers])
        self.world.care(p)

    @rule(p=partition)
    def die(self, p: int) -> None:
        """The partition changes hands."""
        self.world.restart(p)

    @rule(budget=st.integers(1, 15), dies=st.none() | st.integers(0, 3))
    def query(self, budget: int, dies: int | None) -> None:
        """Somebody asks from outside, and may see an owner die meanwhile."""
        query = self.world.query(budget, timeout=1000.0)
        for p in (0, 1, 0, 1):
            self.world.die_in = dies if p == 0 else None
            self.alive(p, lambda p=p: self.world.care(p))
            self.world.die_in = None
        for p in (0, 1, 0, 1):
            self.world.care(p)
        question = self.world.questions.of(query.query_id)
        assert question is not None
        decision = question.ballot.decision
        assert decision is not None
        got = [
            one
            for log in self.world.logs
            for _, one in log.selected
            if one and one.query_id == query.query_id
        ]
        assert sorted(one.rank for one in got) == list(range(decision.size))
        assert decision.size == min(budget, decision.free)

    @invariant()
    def promises(self) -> None:
        world = self.world
        world.nobody_is_asked_twice()
        spent = [one for p in range(PARTITIONS) for one in world.spent(p)]
        budget = world.settings.budget
        if budget.total is not None:
            assert len(spent) <= budget.total
        for name, most in budget.per_class.items():
            named = [one for one in spent if one.reason is not Reason.AUDIT and one.prediction == name]
            assert name == "*" or len(named) <= most
        if budget.fraction is not None:
            for p in range(PARTITIONS):
                assert len(world.spent(p)) <= budget.fraction * world.shelves[p].window.seen + 1e-9
        if world.settings.outstanding.high is not None:
            waiting = [one for p in range(PARTITIONS) for one in world.spent(p)
                       if one.sample_id not in world.logs[p].answered]  # fmt: skip
            assert len(waiting) <= HIGH

    @invariant()
    def windows(self) -> None:
        world = self.world
        for p, (log, shelf) in enumerate(zip(world.logs, world.shelves, strict=True)):
            wanted = last(log, world.settings.window.size, world.settings.window.seconds)
            states = dict(shelf.window.digest())
            assert list(states) == wanted, p
            standing = log.standing()
            for name, state in states.items():
                taken = name in standing or name in log.answered
                assert taken == (state in (2, 3)) or name in shelf.desk, (name, state)


TestLives = Lives.TestCase
TestLives.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip


def by_place(window: int = 40, **budget: Any) -> dict[str, Any]:
    """A configuration in which everything hangs on the log alone."""
    return {
        "window": {"size": window, "seconds": 50.0},
        "trigger": {"every": 10, "seconds": 17.0},
        "budget": {"per_round": 3, "clock": "event", **budget},
        "strategy": {"name": "margin"},
        "audit": {"fraction": 0.3},
    }


@pytest.mark.parametrize(
    "budget", [{}, {"fraction": 0.2}, {"per_hour": 30}, {"total": 20}, {"per_class": {"*": 4}}]
)
@given(
    deaths=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 4)), max_size=8), seed=st.integers(0, 99),
    said=st.dictionaries(st.integers(6, 39), st.sampled_from([Action.PAUSE, Action.RESUME]), max_size=4),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_a_life_with_deaths_chooses_what_an_undisturbed_one_does(
    budget: dict[str, Any], deaths: list[tuple[int, int]], seed: int, said: dict[int, Action]
) -> None:
    rng = np.random.default_rng(seed)
    log = []
    for record in range(40):
        ids = [f"s{number}" for number in rng.integers(0, 150, 7)]
        times = (record * 7 + rng.normal(scale=10, size=7)).tolist()
        log.append(batch_of([*dict.fromkeys(ids)], times=times[: len({*ids})]))
    config = by_place(**budget)
    config["audit"]["while_paused"] = bool(seed % 2)
    calm, wild = World(config), World(config)
    when = dict(deaths)
    for number, batch in enumerate(log):
        if number in said:
            calm.say(said[number])
            wild.say(said[number])
        calm.feed(0, batch)
        wild.die_in = when.get(number)
        try:
            wild.feed(0, batch)
        except Died:
            wild.restart(0)
        wild.die_in = None
        if number in when:
            wild.restart(0)
    told = [
        [(n, one and (one.round, one.rank, one.reason, one.score, one.seen)) for n, one in w.logs[0].selected]
        for w in (calm, wild)
    ]
    assert told[0] == told[1]
    assert told[0]
    assert calm.shelves[0].digest() == wild.shelves[0].digest()


def test_the_audit_slice_is_uniform_with_the_probability_it_names() -> None:
    names = [f"n{i}" for i in range(20)]
    counts = dict.fromkeys(names, 0)
    trials = 2_000
    batch = batch_of(names)
    for seed in range(trials):
        world = World(
            {"trigger": {"every": 20}, "budget": {"per_round": 4}, "audit": {"fraction": 0.5}, "seed": seed,
             "window": {"size": 100}, "strategy": {"name": "margin"}}
        )  # fmt: skip
        world.feed(0, batch)
        for name, one in world.logs[0].selected:
            if one is not None and one.reason is Reason.AUDIT:
                assert one.inclusion_probability == 0.1
                counts[name] += 1
    expected = trials * 0.1
    chi_square = sum((count - expected) ** 2 / expected for count in counts.values())
    assert chi_square < 43.8  # 0.1 % point of chi-square with 19 degrees of freedom
