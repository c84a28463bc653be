"""The ring of rows: which slots they stand in, what is known of each sample, and who is in the window."""

from math import inf

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.select.window.state import State

Slots = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Ring:
    """Flat arrays of `capacity` slots; the sample that came as number n (from 0) stands in n mod capacity.

    Rows of numbers `tail` to `seen` are there. Of them those are in the window whose event time is after
    `watermark - seconds`; event times come in any order, so one that is out may stand among others.
    Arrays take no memory before they are written.
    """

    def __init__(self, capacity: int, seconds: float | None) -> None:
        self.capacity = capacity
        self.seconds = seconds
        self.seen = self.tail = 0
        self.watermark = -inf  # newest event time so far
        self.state = np.zeros(capacity, np.uint8)
        self.offsets = np.zeros(capacity, np.int64)  # of the record in `scores`
        self.sources = np.zeros(capacity, np.int64)  # of the record in `features`; -1 where it was not told
        self.order = np.zeros(capacity, np.int64)  # value of `seen` when the row came
        self.keys = np.zeros(capacity, np.uint64)
        self.event_times = np.zeros(capacity, np.float64)

    def __len__(self) -> int:
        if self.seconds is None:
            return self.seen - self.tail
        return sum(int(np.count_nonzero(self._in(run))) for run in self.runs())

    @property
    def horizon(self) -> float:
        """Event time up to which samples are out of the window."""
        return -inf if self.seconds is None else self.watermark - self.seconds

    def runs(self, first: int | None = None, stop: int | None = None) -> list[slice]:
        """Return the stretches of slots where rows of some numbers stand, oldest first; else of all."""
        first = self.tail if first is None else first
        stop = self.seen if stop is None else stop
        start, end = first % self.capacity, first % self.capacity + stop - first
        both = (slice(start, min(end, self.capacity)), slice(0, end - self.capacity))
        return [run for run in both if run.stop > run.start]

    def slots(self) -> Slots:
        """Return the slots of all rows in the window, oldest first."""
        return self._gathered([self._in(run) for run in self.runs()])

    def candidates(self) -> Slots:
        """Return the slots of rows that may be chosen, oldest first."""
        return self._with(State.FREE, State.RECALLED)

    def taken(self) -> Slots:
        """Return the slots of rows that were chosen or labelled, oldest first."""
        return self._with(State.SELECTED, State.LABELLED)

    def newest_rows(self, count: int) -> Slots:
        """Return the slots of the last `count` samples of the stream that are in the window, oldest first."""
        runs = self.runs(max(self.tail, self.seen - count))
        return self._gathered([self._in(run) for run in runs], runs)

    def take(self, slots: Slots, state: State = State.SELECTED) -> None:
        """Put rows into a state."""
        self.state[slots] = state

    def is_in(self, slot: int) -> bool:
        """Whether the row that stands in a slot, if any, is in the window."""
        return bool(self.state[slot] != State.EMPTY and self.event_times[slot] > self.horizon)

    def _in(self, run: slice) -> Mask:
        if self.seconds is None:
            return np.ones(run.stop - run.start, bool)
        return self.event_times[run] > self.horizon

    def _with(self, one: State, other: State) -> Slots:
        masks: list[Mask] = []
        for run in self.runs():
            mask = (self.state[run] == one) | (self.state[run] == other)
            masks.append(mask if self.seconds is None else mask & self._in(run))
        return self._gathered(masks)

    def _gathered(self, masks: list[Mask], runs: list[slice] | None = None) -> Slots:
        runs = self.runs() if runs is None else runs
        found = [np.flatnonzero(mask) for mask in masks]
        for slots, run in zip(found, runs, strict=True):
            slots += run.start
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def _expired(self) -> int:
        """Return the number up to which the oldest rows are out by their event time."""
        first = self.tail
        if self.seconds is None:
            return first
        while first < self.seen:
            (run, *_) = self.runs(first, min(self.seen, first + 256))
            inside = self._in(run)
            if inside.any():
                return first + int(inside.argmax())
            first += len(inside)
        return first
