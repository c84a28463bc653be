"""What models said of the rows: probabilities and embeddings, whose they are, and how newer ones come in."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.select.window.names import Names
from siftstream.agents.select.window.ring import Mask, Ring, Slots
from siftstream.schemas import Scores

BLOCK: Final = 1024  # rows that a head scores at once
Rows = slice | NDArray[np.int64]


class Stale(NamedTuple):
    """Where in `features` the samples of rows stand that another encoder scored: offsets first <= o < end."""

    first: int
    end: int


class Answers(Ring):
    """The ring with probabilities [N, M, C] float32 and embeddings [N, D] float16.

    Rows may come from several lines of models. The main line gives the arrays their shape: a canary with
    other members keeps its mean probabilities, one with another embedding size has no embeddings here.
    """

    def __init__(self, capacity: int, seconds: float | None, line: str) -> None:
        super().__init__(capacity, seconds)
        self.line = line
        self.rescored_to = ""  # the version whose head scored the older rows
        self.probs = np.zeros((capacity, 0, 0), np.float32)
        self.embeddings = np.zeros((capacity, 0), np.float16)
        self.names = Names()  # the codes below are numbers in this table
        self.version_codes = np.zeros(capacity, np.int32)
        self.encoder_codes = np.zeros(capacity, np.int32)  # 0: without an embedding a row is of no encoder
        self.line_codes = np.zeros(capacity, np.int32)
        self.arrived_codes = np.zeros(capacity, np.int32)  # versions that scored the rows as they came
        self.confidences = np.zeros(capacity, np.float32)  # highest mean probability as they came
        self.change = 0  # grows with each write of scores
        self.changes = np.zeros(capacity, np.int64)  # value of `change` when a row's scores were written

    def version_of(self, slot: int) -> str:
        """Return the version that scored a row."""
        return self.names[self.version_codes[slot]]

    def arrived_with(self, slot: int) -> str:
        """Return the version that scored a row as it came."""
        return self.names[self.arrived_codes[slot]]

    def encoder_of(self, slot: int) -> str:
        """Return the encoder of a row's embedding; empty where it has none."""
        return self.names[self.encoder_codes[slot]]

    def line_of(self, slot: int) -> str:
        """Return the line of models that scored a row; empty in records of before lines were told."""
        return self.names[self.line_codes[slot]]

    def is_of_version(self, slots: Slots, *versions: str) -> Mask:
        """Tell of each row whether one of these versions scored it."""
        return _among(self.version_codes[slots], self.names.known(versions))

    def is_main(self, line: str) -> bool:
        """Whether a line of models is the main one; records of before lines were told are."""
        return line in ("", self.line)

    def is_mains(self, slots: Slots) -> Mask:
        """Tell of each row whether the main line scored it."""
        return _among(self.line_codes[slots], self.names.known(["", self.line]))

    def newest(self, slots: Slots) -> int:
        """Return, of slots, oldest first, the newest that the main line scored; else the newest."""
        for start in range(len(slots), 0, -BLOCK):
            part = slots[max(0, start - BLOCK) : start]
            mine = np.flatnonzero(self.is_mains(part))
            if len(mine):
                return int(part[mine[-1]])
        return int(slots[-1])

    def stale(self, encoder: str) -> Stale | None:
        """Return where to read the samples again whose main line's rows are of another encoder, or none."""
        slots = self.slots()
        other = ~_among(self.encoder_codes[slots], self.names.known([encoder]))
        sources = self.sources[slots[other & self.is_mains(slots)]]
        sources = sources[sources >= 0]
        return Stale(int(sources.min()), int(sources.max()) + 1) if len(sources) else None

    def rescore(self, version: str, encoder: str, head: Any, older: Iterable[str]) -> int:
        """Let a newer head of the main line score the rows that its `older` versions with the same encoder
        scored; count them.

        Membership and order stay; only probabilities and the version that made them change. A canary's rows
        stay the canary's: its say in what is chosen is what it runs for.
        """
        slots = self.slots()
        mine = _among(self.encoder_codes[slots], self.names.known([encoder]))
        mine &= self.is_of_version(slots, *older) & self.is_mains(slots)
        slots = slots[mine]
        if len(slots):
            probs = _scored(head, self.embeddings, slots)
            if not np.isfinite(probs).all():  # a bad head; infer does not run it either
                return 0
            self._resize(probs.shape[1], probs.shape[2], self.embeddings.shape[1])
            self.probs[slots] = probs
            self.version_codes[slots] = self.names.number(version)
            self.change += 1
            self.changes[slots] = self.change
        return len(slots)

    def _fit(self, batch: Scores) -> None:
        """Take the shape of the main line's batch, or of one that cannot be brought to the shape there is."""
        if self.is_main(batch.line) or batch.probs.shape[2] != self.probs.shape[2]:
            self._resize(batch.probs.shape[1], batch.probs.shape[2], batch.embeddings.shape[1])

    def _write(self, where: Rows, batch: Scores, rows: Rows) -> None:
        """Write what the model said of some rows of a batch into as many slots."""
        self.probs[where] = self._with_members(batch.probs[rows])
        encoder = batch.encoder
        if batch.embeddings.shape[1] == self.embeddings.shape[1]:
            self.embeddings[where] = batch.embeddings[rows]
        else:
            self.embeddings[where], encoder = 0, ""
        self.version_codes[where] = self.names.number(batch.model_version)
        self.encoder_codes[where] = self.names.number(encoder)
        self.line_codes[where] = self.names.number(batch.line)
        self.change += 1
        self.changes[where] = self.change

    def _with_members(self, probs_BMC: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return probabilities [B, M, C] with as many members as the window has."""
        if probs_BMC.shape[1:] == self.probs.shape[1:]:
            return probs_BMC
        shape = (len(probs_BMC), *self.probs.shape[1:])
        return np.broadcast_to(probs_BMC.mean(axis=1, keepdims=True), shape)

    def _resize(self, members: int, classes: int, dim: int) -> None:
        """Another head or encoder came: old rows keep their mean probabilities and lose their embedding."""
        if self.probs.shape[1:] == (members, classes) and self.embeddings.shape[1] == dim:
            return
        self.change += 1
        old = self.probs
        if old.shape[1:] != (members, classes):
            self.probs = np.zeros((self.capacity, members, classes), np.float32)
        for run in self.runs():
            if self.probs is not old and old.shape[2] == classes:
                self.probs[run] = old[run].mean(axis=1, keepdims=True)
            if self.embeddings.shape[1] != dim:
                self.encoder_codes[run] = 0  # rows of no encoder are not compared or rescored by it
            self.changes[run] = self.change
        if self.embeddings.shape[1] != dim:
            self.embeddings = np.zeros((self.capacity, dim), np.float16)


def _among(codes: NDArray[np.int32], wanted: NDArray[np.int32]) -> Mask:
    if len(wanted) > 2:
        return np.isin(codes, wanted)
    found = np.zeros(len(codes), bool)
    for code in wanted.tolist():
        found |= codes == code
    return found


def _scored(head: Any, embeddings: NDArray[np.float16], slots: Slots) -> NDArray[np.float32]:
    """Return what a head says of rows [n, M, C], in blocks of one size: what it says of a row must not hang
    on how many others there are, and matrix products of other shapes may add up in another order.
    """
    emb_BD = np.zeros((BLOCK, embeddings.shape[1]), np.float32)
    parts: list[NDArray[np.float32]] = []
    for start in range(0, len(slots), BLOCK):
        part = slots[start : start + BLOCK]
        emb_BD[: len(part)] = embeddings[part]
        parts.append(head.probs(emb_BD)[: len(part)])
    return np.concatenate(parts)
