"""While asking is paused no round chooses; the stream, the window and queries go on."""

from __future__ import annotations

from typing import Any

from siftstream.agents.asking import Asking
from siftstream.schemas import Action, Command, Reason, Selected
from siftstream.streams.record import Record
from tests.agents.select.lives import World
from tests.agents.select.stream import batch_of


def world_of(**more: Any) -> World:
    """One partition, a round of 4 every 10 samples."""
    return World(
        {"window": {"size": 30}, "trigger": {"every": 10}, "budget": {"per_round": 4},
         "strategy": {"name": "margin"}, "audit": {"fraction": 0.0}} | more
    )  # fmt: skip


def feed(world: World, first: int, count: int) -> None:
    world.feed(0, batch_of([f"s{number}" for number in range(first, first + count)]))


def chosen(world: World) -> list[Selected]:
    return [one for _, one in world.logs[0].selected if one is not None]


def test_no_round_chooses_and_the_window_slides() -> None:
    world = world_of()
    world.say(Action.PAUSE)
    feed(world, 0, 50)
    assert not chosen(world)
    assert [name for name, _ in world.shelves[0].window.digest()] == [f"s{n}" for n in range(20, 50)]


def test_a_round_that_fell_due_is_not_made_up_for() -> None:
    world = world_of()
    world.say(Action.PAUSE)
    feed(world, 0, 15)
    world.say(Action.RESUME)
    world.care(0)
    feed(world, 15, 4)
    assert not chosen(world)
    feed(world, 19, 1)
    assert [one.seen for one in chosen(world)] == [20] * 4


def test_a_round_that_fell_due_is_over_for_the_next_owner_too() -> None:
    world = world_of()
    world.say(Action.PAUSE)
    feed(world, 0, 10)
    world.say(Action.RESUME)
    world.restart(0)
    world.care(0)
    assert not chosen(world)


def test_the_annotators_queue_is_filled_as_soon_as_asking_goes_on() -> None:
    world = world_of(trigger={"every": None}, outstanding={"low": 3, "high": 6})
    world.say(Action.PAUSE)
    feed(world, 0, 20)
    world.care(0)
    assert not chosen(world)
    world.say(Action.RESUME)
    world.care(0)
    assert len(chosen(world)) == 4


def test_tasks_that_are_out_are_still_recalled_and_not_asked_again() -> None:
    world = world_of(outstanding={"low": 3, "high": 6, "ttl": 10.0})
    feed(world, 0, 10)
    world.say(Action.PAUSE)
    world.now += 11.0
    world.care(0)
    assert not world.logs[0].standing()
    feed(world, 10, 10)
    assert not world.logs[0].standing()


def test_a_query_of_a_person_is_answered() -> None:
    world = world_of()
    feed(world, 0, 9)
    world.say(Action.PAUSE)
    query = world.query(5)
    for _ in range(2):
        world.care(0)
    assert [(one.query_id, one.reason) for one in chosen(world)] == [(query.query_id, Reason.QUERY)] * 5


def test_the_audit_slice_goes_on_where_that_is_asked_for() -> None:
    world = world_of(audit={"fraction": 0.3, "while_paused": True}, budget={"per_round": 2})
    world.say(Action.PAUSE)
    for first in range(0, 4000, 100):
        feed(world, first, 100)
    found = chosen(world)
    assert {one.reason for one in found} == {Reason.AUDIT}
    # 400 rounds of 0.6 samples on average, deviation sqrt(400 x 0.24)
    assert abs(len(found) - 240) < 4 * 9.8
    chances = {one.inclusion_probability or 0.0 for one in found}
    assert 0.6 / 30 <= min(chances) <= max(chances) <= 0.6 / 20  # of the free rows


def test_the_audit_slice_does_not_fill_the_annotators_queue() -> None:
    world = world_of(
        trigger={"every": None}, outstanding={"low": 3, "high": 6},
        audit={"fraction": 1.0, "while_paused": True},
    )  # fmt: skip
    world.say(Action.PAUSE)
    feed(world, 0, 20)
    world.care(0)
    assert not chosen(world)


def test_the_last_word_of_the_own_line_about_asking_counts() -> None:
    asking = Asking("main")
    words = [
        Command(line="main", action=Action.PAUSE), Command(line="other", action=Action.RESUME),
        Command(line="main", action=Action.TRAIN),
    ]  # fmt: skip
    for offset, word in enumerate(words):
        asking.fold(Record("commands", 0, offset, word.key, word.encode()))
    asking.fold(Record("commands", 0, 3, words[0].key, None))
    assert asking.paused
    assert asking.by_person
