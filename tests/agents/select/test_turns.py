"""Synchronous mode: a round, an answer to each sample of it, a run that knows them, only then the next."""

from __future__ import annotations

from siftstream.schemas import Action, Selected
from tests.agents.select.lives import World
from tests.agents.select.stream import batch_of


def world_of(*, every: int | None = None) -> World:
    """One partition with 30 samples in its window; queues are filled by 3 a round."""
    world = World(
        {"window": {"size": 40}, "trigger": {"every": every}, "budget": {"per_round": 3},
         "outstanding": {"low": 2, "high": 8} if every is None else {},
         "strategy": {"name": "margin"}, "audit": {"fraction": 0.0}},
        synchronous=True,
    )  # fmt: skip
    world.feed(0, batch_of([f"s{number}" for number in range(30)]))
    return world


def chosen(world: World) -> list[Selected]:
    return [one for _, one in world.logs[0].selected if one is not None]


def answer_all(world: World) -> None:
    for name in world.logs[0].standing().keys() - set(world.logs[0].answers):
        world.answer(0, name)


def test_the_next_round_waits_for_every_answer_and_for_a_run_that_knows_them() -> None:
    world = world_of()
    world.care(0)
    assert len(chosen(world)) == 3
    first = [one.sample_id for one in chosen(world)]
    for name in first[:2]:
        world.answer(0, name)
    world.care(0)
    assert (len(chosen(world)), world.commands) == (3, [])
    world.answer(0, first[2])
    world.care(0)
    assert len(chosen(world)) == 3
    world.train()
    world.care(0)
    assert len(chosen(world)) == 6


def test_training_is_asked_for_once_and_again_where_a_version_knew_too_little() -> None:
    world = world_of()
    world.care(0)
    answer_all(world)
    for _ in range(3):
        world.care(0)
    assert [(one.action, one.by) for one in world.commands] == [(Action.TRAIN, "select")]
    world.train(upto=[2])
    world.care(0)
    world.care(0)
    assert len(world.commands) == 2
    assert len({one.command_id for one in world.commands}) == 2
    assert len(chosen(world)) == 3


def test_the_next_owner_asks_for_the_same_training_by_the_same_name() -> None:
    world = world_of()
    world.care(0)
    answer_all(world)
    world.care(0)
    world.restart(0)
    world.care(0)
    assert [one.command_id for one in world.commands] == ["select-0-3-0"] * 2


def test_a_round_by_count_that_is_out_of_turn_is_held_when_its_turn_comes() -> None:
    world = world_of(every=15)  # due at 15 and at 30
    assert {one.seen for one in chosen(world)} == {15}
    answer_all(world)
    world.care(0)
    world.train()
    world.care(0)
    assert [one.seen for one in chosen(world)] == [15] * 3 + [30] * 3
    answer_all(world)
    world.train()
    world.care(0)
    assert len(chosen(world)) == 6  # no other one was due


def test_a_round_that_waits_for_its_turn_outlives_its_owner() -> None:
    world = world_of(every=15)
    world.restart(0)
    answer_all(world)
    world.train()
    world.care(0)
    assert [one.seen for one in chosen(world)] == [15] * 3 + [30] * 3


def test_labels_of_samples_that_nobody_asked_for_put_nothing_off() -> None:
    world = world_of()
    world.care(0)
    answer_all(world)
    world.care(0)
    world.answer(0, "s999")
    world.train(upto=[3])
    world.care(0)
    assert len(chosen(world)) == 6


def test_rounds_go_on_while_there_are_too_few_labels_for_a_first_run() -> None:
    world = world_of()
    world.trainable = False
    for rounds in (1, 2, 3):
        world.care(0)
        assert (len(chosen(world)), world.commands) == (3 * rounds, [])
        answer_all(world)
    world.trainable = True
    world.care(0)
    assert (len(chosen(world)), len(world.commands)) == (9, 1)
