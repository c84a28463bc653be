"""The sliding window of one partition: its last distinct samples, as the log gives them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.select.window.answers import Answers, Rows
from siftstream.agents.select.window.floor import Floor, Records
from siftstream.agents.select.window.index import Index
from siftstream.agents.select.window.keys import keys_of
from siftstream.agents.select.window.ring import Mask, Slots
from siftstream.agents.select.window.state import State
from siftstream.agents.select.window.texts import Texts
from siftstream.schemas import Scores

StateOf = Callable[[str], State]


def always_free(sample_id: str) -> State:
    """Return the state of a sample nobody chose."""
    del sample_id
    return State.FREE


class Arrivals(NamedTuple):
    """Some rows of a batch: which, their ids and keys, the newest event time at each, and who is late."""

    rows: slice
    ids: list[str]
    keys: NDArray[np.uint64]
    times: NDArray[np.float64]
    marks: NDArray[np.float64]
    late: Mask | None


class Window(Answers):
    """The last `capacity` distinct samples of a partition whose event time is within `seconds` of the newest.

    A sample that is still in the window is not added again: the first in the log counts. One that is too old
    when it comes is late: counted and left out. `seen` counts the samples that were added, for ever, so a
    window rebuilt from its floor has every sample in the slot it had. A row takes 4 M C + 2 D + 73 bytes of
    arrays, 16 to 32 of the index, and its texts' UTF-8 with 4 bytes each.

    >>> window = Window(capacity=2)
    >>> batch = Scores(["a", "b", "a", "c"], list("abac"), np.arange(4.0), [{}] * 4,
    ...     np.full((4, 1, 2), .5, np.float32), np.zeros((4, 8), np.float16), model_version="v1", encoder="e")
    >>> window.append(7, batch), window.seen, window.digest()
    (4, 3, (('b', 1), ('c', 1)))
    """

    def __init__(
        self, capacity: int, *, seconds: float | None = None, line: str = "", start: Floor | None = None
    ) -> None:
        """Args: rows; seconds of event time, or no such limit; the main line of models; the floor to be
        rebuilt from: the next record is the first one at or after it.
        """
        super().__init__(capacity, seconds, line)
        start = start or Floor()
        self.seen = self.tail = start.seen
        self.watermark = start.watermark
        self.head = start.offset - 1  # offset of the last record added
        self.late = 0  # samples that came too late, in this process
        self.replaced = 0  # rows scored again on request, in this process
        self.row_scores: dict[object, object] = {}  # what RowScores keeps of this window
        self._source = start.source  # of the last record
        self._index = Index(self.keys)
        self._records = Records()
        self._texts = Texts()

    def append(
        self,
        offset: int,
        batch: Scores,
        state_of: StateOf = always_free,
        *,
        start: int = 0,
        at_most: int = 1 << 30,
        until: float | None = None,
    ) -> int:
        """Add a record's samples from row `start` on; return the row after the last one looked at.

        Args:
            offset: The record's offset; records come in the order of the log.
            batch: Its samples.
            state_of: The state of a sample that comes in.
            start: First row; 0 begins the record.
            at_most: New samples to add before returning, so that a round can be held in mid-record.
            until: Event time; return after the sample that brings the watermark to it or beyond.
        """
        self._fit(batch)
        if start == 0:
            self._records.note(offset, seen=self.seen, watermark=self.watermark, source=batch.source)
            self.head, self._source = offset, batch.source
        stop_at = self.seen + at_most
        before = self.watermark
        while start < len(batch) and self.seen < stop_at:
            stop = min(len(batch), start + min(self.capacity, stop_at - self.seen))  # all may be new
            start = self._take_in(offset, batch, self._arrivals(batch, start, stop, until), state_of)
            if until is not None and before < until <= self.watermark:
                break
        return start

    def replace(self, offset: int, batch: Scores) -> int:
        """Let a batch that was scored again speak for its samples that are in the window; count them.

        Probabilities, embedding, encoder and version change; membership, order and `seen` never do, and a
        canary's rows stay the canary's.
        """
        self.head = offset
        found = {slot: row for row, name in enumerate(batch.sample_ids) if (slot := self._slot(name)) >= 0}
        mains = self.is_main(batch.line)
        rows_of = {slot: row for slot, row in found.items() if self.is_main(self.line_of(slot)) == mains}
        if rows_of:
            self._fit(batch)
            slots, rows = (np.array(some, np.int64) for some in (list(rows_of), list(rows_of.values())))
            self._write(slots, batch, rows)
            self.replaced += len(rows_of)
        return len(rows_of)

    def mark(self, sample_id: str, state: State) -> bool:
        """Put a sample into a state, if it is in the window; tell whether it is."""
        slot = self._slot(sample_id)
        if slot >= 0:
            self.state[slot] = state
        return slot >= 0

    def floor(self) -> Floor:
        """Return the first offset from which this window can be rebuilt, and what was before it."""
        if self.tail == self.seen:
            self._records.clear()
            return Floor(self.head + 1, self.seen, self.watermark, self._source)
        return self._records.floor(int(self.offsets[self.tail % self.capacity]))

    def digest(self) -> tuple[tuple[str, int], ...]:
        """Return ids and states, oldest first: equal digests are equal windows."""
        slots = self.slots()
        return tuple(zip(self.ids_of(slots), self.state[slots].tolist(), strict=True))

    def id_of(self, slot: int) -> str:
        """Return a row's sample id."""
        return self._texts.ids(self.order[[slot]])[0]

    def uri_of(self, slot: int) -> str:
        """Return a row's URI."""
        return self._texts.uris(self.order[[slot]])[0]

    def metadata_of(self, slot: int) -> dict[str, str]:
        """Return a row's metadata."""
        return self._texts.metadata(self.order[[slot]])[0]

    def ids_of(self, slots: Slots) -> list[str]:
        """Return the sample ids of rows."""
        return self._texts.ids(self.order[slots])

    def uris_of(self, slots: Slots) -> list[str]:
        """Return the URIs of rows."""
        return self._texts.uris(self.order[slots])

    def metadatas_of(self, slots: Slots) -> list[dict[str, str]]:
        """Return the metadata of rows."""
        return self._texts.metadata(self.order[slots])

    def _slot(self, sample_id: str) -> int:
        """Return where a sample stands that is in the window; else -1."""
        found = self._index.find(keys_of([sample_id]))
        slots = (slot for _, slot in found if self.is_in(slot) and self.id_of(slot) == sample_id)
        return next(slots, -1)

    def _arrivals(self, batch: Scores, start: int, stop: int, until: float | None) -> Arrivals:
        """Look at rows of a batch, but not past the one that brings the watermark to `until`."""
        marks = np.maximum.accumulate(np.r_[self.watermark, batch.event_times[start:stop]])[1:]
        if until is not None and self.watermark < until <= marks[-1]:
            marks = marks[: int(np.searchsorted(marks, until)) + 1]
        rows = slice(start, start + len(marks))
        times, ids = batch.event_times[rows], list(batch.sample_ids[rows])
        late = None if self.seconds is None else times <= marks - self.seconds
        return Arrivals(rows, ids, keys_of(ids), times, marks, late)

    def _take_in(self, offset: int, batch: Scores, come: Arrivals, state_of: StateOf) -> int:
        """Add those that are new; return the row after the last one."""
        rows, fresh = come.rows, self._fresh(offset, come)
        if come.late is not None:
            self.late += int(np.count_nonzero(come.late))
        last, whole = self.seen + len(fresh), len(fresh) == len(come.ids)
        self._leave(last - self.capacity)
        for run in self.runs(self.seen, last):
            part, fresh = np.split(fresh, [run.stop - run.start])
            at = rows.start + part
            self._put(run, offset, batch, slice(int(at[0]), int(at[-1]) + 1) if whole else at)
            self.keys[run] = come.keys[part]
            self.state[run] = [state_of(come.ids[row]) for row in part.tolist()]
            self._index.add(np.arange(run.start, run.stop))
        self.watermark = float(come.marks[-1])
        self._leave(self._expired())
        return rows.stop

    def _put(self, run: slice, offset: int, batch: Scores, rows: Rows) -> None:
        """Write some rows of a batch into a stretch of slots, which the next samples are to stand in."""
        self._write(run, batch, rows)
        self.arrived_codes[run] = self.version_codes[run]
        self.confidences[run] = self.probs[run].mean(axis=1).max(axis=1)
        self.event_times[run] = batch.event_times[rows]
        self.offsets[run], self.sources[run] = offset, batch.source
        self.order[run] = np.arange(self.seen, self.seen + run.stop - run.start)
        self._texts.add(self.seen, batch, rows)
        self.seen += run.stop - run.start

    def _fresh(self, offset: int, come: Arrivals) -> NDArray[np.int64]:
        """Return which arrivals are neither late nor in the window at their place, as rows of `come`."""
        found = self._index.find(come.keys)
        if not found and len(set(come.ids)) == len(come.ids):
            return np.arange(len(come.ids)) if come.late is None else np.flatnonzero(~come.late)
        older: dict[int, list[int]] = {}
        for row, slot in found:
            older.setdefault(row, []).append(slot)
        fresh: dict[str, float] = {}  # event times of those of this very batch
        rows: list[int] = []
        for row, name in enumerate(come.ids):
            horizon = -np.inf if self.seconds is None else come.marks[row] - self.seconds
            if come.times[row] <= horizon or fresh.get(name, -np.inf) > horizon:
                continue
            oldest = self.seen + len(rows) - self.capacity
            for slot in older.get(row, ()):
                inside = self.order[slot] >= oldest and self.event_times[slot] > horizon
                if inside and self.id_of(slot) == name:
                    self._records.repeat(offset, int(self.offsets[slot]))
                    break
            else:
                fresh[name] = float(come.times[row])
                rows.append(row)
        return np.array(rows, np.int64)

    def _leave(self, first: int) -> None:
        """Let the rows go whose numbers are smaller than `first`."""
        for run in self.runs(self.tail, min(first, self.seen)):
            self._index.remove(np.arange(run.start, run.stop))
            self.state[run] = State.EMPTY
        self.tail = max(self.tail, first)
        self._texts.drop_before(self.tail)
