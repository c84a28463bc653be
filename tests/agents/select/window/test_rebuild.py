"""A window is what the log says, and the one rebuilt from any of its floors is the one that lived."""

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siftstream.agents.select.window import index as index_room
from siftstream.agents.select.window import window as window_room
from siftstream.agents.select.window.floor import Floor
from siftstream.agents.select.window.state import State
from siftstream.agents.select.window.window import Window
from siftstream.schemas import Scores
from tests.agents.select.window.batches import scores


@dataclass(frozen=True)
class Entry:
    """A record of the log."""

    samples: tuple[tuple[str, int], ...]  # id, event time
    again: bool = False
    version: str = "v1"
    source: int = -1

    @property
    def batch(self) -> Scores:
        names, times = [name for name, _ in self.samples], [float(time) for _, time in self.samples]
        return scores(names, times, version=self.version, source=self.source, again=self.again)


samples = st.tuples(st.integers(0, 25).map(str), st.integers(0, 30))
entries = st.builds(
    Entry,
    st.lists(samples, min_size=1, max_size=8).map(tuple),
    st.sampled_from([False, False, False, True]),
    st.sampled_from(["v1", "v2"]),
    st.integers(-1, 40),
)
logs = st.lists(entries, min_size=1, max_size=25)
limits = st.tuples(st.integers(1, 20), st.none() | st.integers(1, 25))
pieces = st.integers(1, 9)
STATES = {"3": State.SELECTED, "4": State.LABELLED, "5": State.RECALLED}


def state_of(sample_id: str) -> State:
    return STATES.get(sample_id, State.FREE)


def lived(
    log: list[Entry], limit: tuple[int, int | None], start: Floor | None = None, *, at_most: int = 1 << 30
) -> Window:
    window = Window(limit[0], seconds=limit[1], line="main", start=start)
    for offset, entry in enumerate(log):
        if offset < (0 if start is None else start.offset):
            continue
        if entry.again:
            window.replace(offset, entry.batch)
            continue
        row = 0
        while row < len(entry.samples):
            row = window.append(offset, entry.batch, state_of, start=row, at_most=at_most)
            assert window.floor().offset <= offset + (row == len(entry.samples))
    return window


def model(log: list[Entry], limit: tuple[int, int | None]) -> tuple[list[tuple[str, int]], int, int]:
    """The definition, sample by sample: who is in the window with which state, seen, late."""
    capacity, seconds = limit
    came: list[tuple[str, int]] = []
    newest, late = -inf, 0

    def within() -> list[tuple[str, int]]:
        return [one for one in came[-capacity:] if seconds is None or one[1] > newest - seconds]

    for name, time in (one for entry in log if not entry.again for one in entry.samples):
        newest = max(newest, time)
        if seconds is not None and time <= newest - seconds:
            late += 1
        elif name not in {known for known, _ in within()}:
            came.append((name, time))
    return [(name, int(state_of(name))) for name, _ in within()], len(came), late


def contents(window: Window) -> list[tuple[Any, ...]]:
    """All that is known of each row, oldest first."""
    slots = window.slots().tolist()
    return [
        (s, window.id_of(s), window.uri_of(s), window.metadata_of(s), State(int(window.state[s])),
         window.version_of(s), window.encoder_of(s), window.line_of(s), int(window.offsets[s]),
         int(window.order[s]), int(window.sources[s]), int(window.keys[s]), float(window.event_times[s]),
         float(window.confidences[s]), window.arrived_with(s),
         window.probs[s].tolist(), window.embeddings[s].tolist())
        for s in slots
    ]  # fmt: skip


@given(logs, limits, pieces)
@settings(max_examples=150, deadline=None)
def test_the_window_is_the_last_distinct_samples_within_the_time(
    log: list[Entry], limit: tuple[int, int | None], at_most: int
) -> None:
    window = lived(log, limit, at_most=at_most)
    rows, seen, late = model(log, limit)
    assert list(window.digest()) == rows
    assert (len(window), window.seen, window.late) == (len(rows), seen, late)
    names = {State.FREE: window.candidates(), State.SELECTED: window.taken()}
    assert window.ids_of(names[State.FREE]) == [name for name, state in rows if State(state).choosable]
    assert window.ids_of(names[State.SELECTED]) == [n for n, s in rows if not State(s).choosable]


@given(logs, limits, pieces, st.data())
@settings(max_examples=200, deadline=None)
def test_a_window_rebuilt_from_any_floor_equals_the_one_that_lived(
    log: list[Entry], limit: tuple[int, int | None], at_most: int, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(log)))
    floor = lived(log[:cut], limit).floor()
    rebuilt, undisturbed = lived(log, limit, floor, at_most=at_most), lived(log, limit)
    assert contents(rebuilt) == contents(undisturbed)
    assert (rebuilt.seen, rebuilt.watermark) == (undisturbed.seen, undisturbed.watermark)
    assert (rebuilt.head, rebuilt.floor()) == (undisturbed.head, undisturbed.floor())


@given(logs, limits)
@settings(max_examples=60, deadline=None)
def test_the_floor_is_no_lower_than_repeats_ask_for(log: list[Entry], limit: tuple[int, int | None]) -> None:
    """Held against the plain way: go back for every repeat that is read again until nothing changes."""
    window, pairs = Window(limit[0], seconds=limit[1]), list[tuple[int, int]]()
    records = window._records  # pyright: ignore[reportPrivateUsage]
    note = records.repeat
    records.repeat = lambda offset, first: (pairs.append((offset, first)), note(offset, first))[1]  # type: ignore[method-assign]
    for offset, entry in enumerate(log):
        window.append(offset, entry.batch)
        slots = window.slots()
        lowest = int(window.offsets[slots].min())
        while (lower := min([lowest, *(first for repeat, first in pairs if repeat >= lowest)])) < lowest:
            lowest = lower
        sources = [one.source for one in log[lowest : offset + 1] if one.source >= 0]
        assert (window.floor().offset, window.floor().source) == (lowest, min(sources, default=-1))


@given(logs, limits)
@settings(max_examples=60, deadline=None)
@example([Entry((("1", 0), ("2", 0), ("1", 0)))], (9, None))
def test_ids_of_one_key_are_told_apart(log: list[Entry], limit: tuple[int, int | None]) -> None:
    keys_of = window_room.keys_of
    window_room.keys_of = lambda ids: keys_of(ids) % np.uint64(2)  # type: ignore[assignment]
    try:
        window = lived(log, limit)
        assert (list(window.digest()), window.seen, window.late) == model(log, limit)
        for name, state in window.digest():
            assert window.mark(name, State.LABELLED), state
        assert {state for _, state in window.digest()} <= {int(State.LABELLED)}
    finally:
        window_room.keys_of = keys_of


@given(logs, limits, st.lists(st.integers(0, 40), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_a_time_to_stop_at_is_met_between_the_same_two_samples_whatever_the_records_are(
    log: list[Entry], limit: tuple[int, int | None], marks: list[int]
) -> None:
    whole = [one for entry in log for one in entry.samples]

    def stops(records: list[tuple[tuple[str, int], ...]]) -> list[tuple[float, int]]:
        window, found, wanted = Window(limit[0], seconds=limit[1]), list[tuple[float, int]](), sorted(marks)
        for offset, record in enumerate(records):
            row = 0
            while row < len(record):
                until = next((float(mark) for mark in wanted if mark > window.watermark), None)
                before = window.watermark
                row = window.append(offset, Entry(record).batch, start=row, until=until)
                if until is not None and before < until <= window.watermark:
                    found.append((window.watermark, window.seen))
        return found

    assert stops([entry.samples for entry in log]) == stops([(one,) for one in whole])


def test_a_bucket_that_is_full_spills_and_loses_nothing() -> None:
    keys = np.arange(1 << 12, dtype=np.uint64)  # the upper half is 0: all in one bucket
    index = index_room.Index(keys)
    for start in range(0, len(keys), 64):
        index.add(np.arange(start, start + 64))
        if start >= 512:
            index.remove(np.arange(start - 512, start - 448))
    assert index.find(keys) == [(n, n) for n in range(len(keys) - 512, len(keys))]
    assert len(index) == 512
