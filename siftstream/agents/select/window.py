"""The sliding window of one partition: its last N distinct samples, in flat arrays."""

from collections import deque
from collections.abc import Container
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siftstream.schemas import Scores

EMPTY, FREE, TAKEN = 0, 1, 2
_UNSEEN = ""


class Window:
    """The last `capacity` distinct samples of a partition, in the order the log gave them.

    A sample that is still in the window is not added again: the first in the log counts. Rows are a
    ring; `seen` counts distinct samples for ever, so slot = seen mod capacity and a window rebuilt
    from its floor has every sample in the slot it had. Memory a row: M*C*4 + D*2 + 38 bytes of
    arrays, and about 300 bytes of id, URI and metadata.

    Rows may come from several lines of models. The main line gives the arrays their shape: a canary with
    other members keeps its mean probabilities, one with another embedding size has no embeddings here.
    """

    def __init__(self, capacity: int, seen: int = 0, line: str = "") -> None:
        """Args: rows; distinct samples seen before the first record to come (from the floor); the main line
        of models.
        """
        self.capacity = capacity
        self.seen = seen
        self.line = line
        self.head = -1  # offset of the last record added
        self.rescored_to = ""  # the version whose head scored the older rows
        self.state = np.zeros(capacity, np.uint8)
        self.offsets = np.full(capacity, -1, np.int64)
        self.order = np.full(capacity, -1, np.int64)  # value of `seen` when the row came
        self.keys = np.zeros(capacity, np.uint64)  # of the ids: what ties and draws hang on
        self.probs = np.zeros((capacity, 0, 0), np.float32)  # [N, M, C]
        self.embeddings = np.zeros((capacity, 0), np.float16)  # [N, D]
        self.ids: list[str] = [_UNSEEN] * capacity
        self.uris: list[str] = [_UNSEEN] * capacity
        self.metadata: list[dict[str, str]] = [{}] * capacity
        self.versions: list[str] = [_UNSEEN] * capacity
        self.encoders: list[str] = [_UNSEEN] * capacity
        self.lines: list[str] = [_UNSEEN] * capacity
        self._slot: dict[str, int] = {}
        self._records: deque[tuple[int, int]] = deque()  # (offset, seen before it) of records still needed
        self._pins: deque[tuple[int, int]] = deque()  # (offset of a repeat, offset of its first)

    def __len__(self) -> int:
        return len(self._slot)

    def append(
        self,
        offset: int,
        batch: Scores,
        taken: Container[str] = (),
        *,
        start: int = 0,
        at_most: int = 1 << 30,
    ) -> int:
        """Add a record's samples from row `start` on; return the row after the last one looked at.

        Args:
            offset: The record's offset; records come in the order of the log.
            batch: Its samples.
            taken: Ids chosen before, which may not be chosen again (any container with fast `in`).
            start: First row; 0 begins the record.
            at_most: New samples to add before returning, so that a round can be held in mid-record.
        """
        if self.is_main(batch.line) or batch.probs.shape[2] != self.probs.shape[2]:
            self._fit(batch)
        if start == 0:
            self._records.append((offset, self.seen))
            self.head = offset
        stop, fresh = self._place_fresh(offset, batch, start, at_most)
        slots = (self.seen + np.arange(len(fresh))) % self.capacity
        self.state[slots] = [TAKEN if batch.sample_ids[row] in taken else FREE for row in fresh]
        self.order[slots] = self.seen + np.arange(len(fresh))
        self.keys[slots] = [key_of(batch.sample_ids[row]) for row in fresh]
        self.probs[slots] = self._probs(batch, fresh)
        if batch.embeddings.shape[1] == self.embeddings.shape[1]:
            self.embeddings[slots] = batch.embeddings[fresh]
        else:
            self.embeddings[slots] = 0
            for slot in slots.tolist():
                self.encoders[slot] = _UNSEEN  # as in `_resize`
        self.seen += len(fresh)
        return stop

    def is_main(self, line: str) -> bool:
        """Whether a line of models is the main one; records of before lines were told are."""
        return line in ("", self.line)

    def newest(self, slots: NDArray[np.int64]) -> int:
        """Of slots, oldest first, return the newest that the main line scored; else the newest."""
        mine = (s for s in reversed(slots.tolist()) if self.is_main(self.lines[s]))
        return next(mine, int(slots[-1]))

    def candidates(self) -> NDArray[np.int64]:
        """The slots of free rows, oldest first."""
        slots = np.flatnonzero(self.state == FREE)
        return slots[np.argsort(self.order[slots])]

    def taken(self) -> NDArray[np.int64]:
        """The slots of rows already chosen, oldest first."""
        slots = np.flatnonzero(self.state == TAKEN)
        return slots[np.argsort(self.order[slots])]

    def take(self, slots: NDArray[np.int64]) -> None:
        """Mark rows as chosen."""
        self.state[slots] = TAKEN

    def rescore(self, version: str, encoder: str, head: Any, older: Container[str]) -> int:
        """Let a newer head of the main line score the rows that its `older` versions with the same encoder
        scored; count them.

        Membership and order stay; only probabilities and the version that made them change. A canary's rows
        stay the canary's: its say in what is chosen is what it runs for.
        """
        slots = [
            s for s in self._slot.values()
            if self.encoders[s] == encoder and self.versions[s] in older and self.is_main(self.lines[s])
        ]  # fmt: skip
        if slots:
            probs = head.probs(self.embeddings[slots].astype(np.float32))
            if not np.isfinite(probs).all():  # a bad head; infer does not run it either
                return 0
            self._resize(probs.shape[1], probs.shape[2], self.embeddings.shape[1])
            self.probs[slots] = probs
            for slot in slots:
                self.versions[slot] = version
        return len(slots)

    def floor(self) -> tuple[int, int]:
        """The first offset from which this window can be rebuilt, and `seen` before it.

        A repeat that fell away because its first was in the window must fall away in the rebuilt
        window too, so while the repeat is to be re-read its first must be.
        """
        if not self._slot:
            return self.head + 1, self.seen
        lowest = int(self.offsets[self.state != EMPTY].min())
        for repeat, first in reversed(self._pins):  # pins are in the order of their repeats
            if repeat < lowest:
                break
            lowest = min(lowest, first)
        while self._pins and self._pins[0][0] < lowest:
            self._pins.popleft()
        while self._records[0][0] < lowest:
            self._records.popleft()
        return self._records[0]

    def digest(self) -> tuple[tuple[str, int], ...]:
        """Ids and states, oldest first: equal digests are equal windows."""
        slots = np.flatnonzero(self.state != EMPTY)
        slots = slots[np.argsort(self.order[slots])]
        return tuple((self.ids[slot], int(self.state[slot])) for slot in slots.tolist())

    def _place_fresh(self, offset: int, batch: Scores, start: int, at_most: int) -> tuple[int, list[int]]:
        """Give each sample that is not in the window a slot; return where it stopped, and those rows."""
        fresh: list[int] = []
        limit = min(at_most, self.capacity)  # a row more would overwrite the first of this very call
        for row in range(start, len(batch)):
            if len(fresh) == limit:
                return row, fresh
            known = self._slot.get(batch.sample_ids[row])
            if known is None:
                self._place((self.seen + len(fresh)) % self.capacity, offset, batch, row)
                fresh.append(row)
            else:
                self._pins.append((offset, int(self.offsets[known])))
        return len(batch), fresh

    def _place(self, slot: int, offset: int, batch: Scores, row: int) -> None:
        self._slot.pop(self.ids[slot], None)
        sample_id = batch.sample_ids[row]
        self._slot[sample_id] = slot
        self.ids[slot], self.uris[slot] = sample_id, batch.uris[row]
        self.metadata[slot], self.offsets[slot] = batch.metadata[row], offset
        self.versions[slot], self.encoders[slot] = batch.model_version, batch.encoder
        self.lines[slot] = batch.line

    def _probs(self, batch: Scores, fresh: list[int]) -> NDArray[np.float32]:
        """Return the probabilities of rows [B, M, C], with as many members as the window has."""
        probs_BMC = batch.probs[fresh]
        if probs_BMC.shape[1:] == self.probs.shape[1:]:
            return probs_BMC
        shape = (len(fresh), *self.probs.shape[1:])
        return np.broadcast_to(probs_BMC.mean(axis=1, keepdims=True), shape)

    def _fit(self, batch: Scores) -> None:
        _, members, classes = batch.probs.shape
        self._resize(members, classes, batch.embeddings.shape[1])

    def _resize(self, members: int, classes: int, dim: int) -> None:
        """Another head or encoder came: old rows keep their mean probabilities and lose their embedding."""
        if self.probs.shape[1:] != (members, classes):
            wider = np.zeros((self.capacity, members, classes), np.float32)
            if self.probs.shape[2] == classes:
                wider[:] = self.probs.mean(axis=1, keepdims=True)
            self.probs = wider
        if self.embeddings.shape[1] != dim:
            self.embeddings = np.zeros((self.capacity, dim), np.float16)
            self.encoders = [_UNSEEN] * self.capacity  # rows of no encoder are not compared or rescored by it


def key_of(sample_id: str) -> int:
    """Return 64 bits that belong to an id, in every process the same.

    >>> key_of("a") == key_of("a") != key_of("b")
    True
    """
    return int.from_bytes(blake2b(sample_id.encode(), digest_size=8).digest())
