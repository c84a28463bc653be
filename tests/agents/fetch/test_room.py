"""The memory of loads: bounded, first come first served, and never at a standstill."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from siftstream.agents.fetch.loaders.room import Room


async def test_a_load_waits_until_there_is_room_and_cancelling_it_leaves_no_trace() -> None:
    room = Room(100)
    with room.ticket() as one:
        await one.room_for(80)
        with room.ticket() as two:
            waiting = asyncio.ensure_future(two.room_for(30))
            await asyncio.sleep(0)
            assert not waiting.done()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        assert room.used == 80
    assert room.used == 0


async def test_the_oldest_goes_on_whatever_it_takes() -> None:
    room = Room(100)
    with room.ticket() as one, room.ticket() as two:
        await one.room_for(60)
        await two.room_for(40)
        await one.room_for(500)
        later = asyncio.ensure_future(two.room_for(1))
        await asyncio.sleep(0)
        assert not later.done()
        one.__exit__(None, None, None)
        await later
        assert room.used == 41


async def test_a_load_that_waits_for_memory_does_not_use_up_its_deadline() -> None:
    room = Room(10)
    with room.ticket() as one, room.ticket() as two:
        await one.room_for(10)
        async with asyncio.timeout(0.05) as two.deadline:
            waiting = asyncio.get_running_loop().call_later(0.15, one.__exit__, None, None, None)
            await two.room_for(5)
            assert two.deadline.when() is not None
        assert room.used == 5
        waiting.cancel()


@given(st.lists(st.lists(st.integers(1, 60), min_size=1, max_size=5), min_size=1, max_size=12))
@settings(max_examples=50, deadline=None)
def test_loads_that_grow_all_end_and_stay_within_the_limit_and_one_object(sizes: list[list[int]]) -> None:
    async def play() -> None:
        room = Room(100)
        most = 0

        async def load(steps: list[int]) -> None:
            nonlocal most
            with room.ticket() as ticket:
                for step in steps:
                    await ticket.room_for(step)
                    most = max(most, room.used)
                    await asyncio.sleep(0)

        async with asyncio.timeout(5):
            await asyncio.gather(*(load(steps) for steps in sizes))
        assert room.used == 0
        assert most <= 100 + max(sum(steps) for steps in sizes)

    asyncio.run(play())
