"""Ledger and floor: how far a partition may be committed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from siftstream.streams.ledger import Floor, Ledger

OFFSETS = st.lists(st.integers(0, 200), min_size=1, max_size=40, unique=True).map(sorted)


@st.composite
def readings(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Offsets with holes as they are delivered, and some of them in the order they are done."""
    offsets = draw(OFFSETS)
    done = draw(st.permutations(offsets))
    return offsets, done[: draw(st.integers(0, len(done)))]


def end_of_the_unbroken_run(offsets: list[int], done: set[int]) -> int | None:
    end = None
    for offset in offsets:
        if offset not in done:
            break
        end = offset + 1
    return end


@settings(deadline=None)  # a busy machine is no failure
@given(readings())
def test_the_position_is_the_end_of_the_unbroken_run(reading: tuple[list[int], list[int]]) -> None:
    offsets, done = reading
    ledger = Ledger()
    for offset in offsets:
        ledger.deliver(offset)
    for count, offset in enumerate(done, start=1):
        ledger.ack(offset)
        assert ledger.position == end_of_the_unbroken_run(offsets, set(done[:count]))
    assert ledger.settled == (len(done) == len(offsets))


@settings(deadline=None)  # a busy machine is no failure
@given(st.data())
def test_it_does_not_matter_when_messages_are_delivered(data: st.DataObject) -> None:
    offsets = data.draw(OFFSETS)
    ledger, delivered, done, position = Ledger(), 0, set[int](), -1
    while len(done) < len(offsets):
        open_ = [offset for offset in offsets[:delivered] if offset not in done]
        if delivered < len(offsets) and (not open_ or data.draw(st.booleans())):
            ledger.deliver(offsets[delivered])
            delivered += 1
            continue
        offset = data.draw(st.sampled_from(open_))
        done.add(offset)
        ledger.ack(offset)
        now = -1 if ledger.position is None else ledger.position
        assert now >= position
        position = now
        assert all(offset >= position for offset in offsets if offset not in done)
    assert ledger.position == offsets[-1] + 1


def test_acknowledging_twice_or_what_was_never_delivered_changes_nothing() -> None:
    ledger = Ledger()
    ledger.ack(5)
    ledger.deliver(5)
    ledger.deliver(6)
    assert ledger.position is None
    for _ in range(2):
        ledger.ack(5)
    assert ledger.position == 6


def test_a_message_that_is_delivered_twice_is_done_when_both_are() -> None:
    ledger = Ledger()
    for offset in (4, 4, 5):
        ledger.deliver(offset)
    ledger.ack(4)
    ledger.ack(5)
    assert not ledger.settled
    ledger.ack(4)
    assert (ledger.position, ledger.settled) == (6, True)


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.tuples(st.integers(0, 50), st.text(max_size=3)), min_size=1))
def test_a_floor_never_falls_and_keeps_the_metadata_of_its_last_step(steps: list[tuple[int, str]]) -> None:
    floor = Floor()
    for offset, metadata in steps:
        floor.advance(offset, metadata)
    highest = max(offset for offset, _ in steps)
    assert (floor.position, floor.metadata) == [step for step in steps if step[0] == highest][-1]
