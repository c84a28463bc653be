"""What a strategy sees of a partition's window: the free rows, and what is known beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, overload

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.select.chosen import Held
from siftstream.agents.select.window.window import Window
from siftstream.models.head import Head
from siftstream.schemas import Reason
from siftstream.strategies import Labelled, LinearHead, Need, Past, Progress, Strategy
from siftstream.strategies import Window as Candidates

AMPLE: Final = 10  # rows of an encoder for each one to choose: after a swap its first rows are few
Slots = NDArray[np.int64]


@dataclass(frozen=True)
class Known:
    """What select knows beside the window when a round is held.

    `labels`: class numbers of labelled samples by id; `rounds`: the rounds held before, by number;
    `accuracies`: of model versions by name; `live`: the version that is live and its head; `learned`: labels
    of each class that it learned from; `classes`: their names.
    """

    labels: Mapping[str, int] = field(default_factory=dict)
    rounds: Mapping[int, Held] = field(default_factory=dict)
    accuracies: Mapping[str, float] = field(default_factory=dict)
    live: tuple[str, Head] | None = None
    learned: Mapping[str, int] = field(default_factory=dict)
    classes: Sequence[str] = ()


def comparable(strategy: Strategy, window: Window, slots: Slots, size: int) -> Slots:
    """Return the rows, of some oldest first, among which a strategy may choose `size`.

    Where it compares embeddings these are rows of one encoder, since others lie in another space: the newest
    of the main line that has AMPLE rows for each one to choose, else the one that has most.
    """
    if not strategy.needs_embeddings or not len(slots):
        return slots
    main = window.is_mains(slots)
    codes = window.encoder_codes[slots[main] if main.any() else slots]
    counts, last = np.bincount(codes), np.full(codes.max() + 1, -1)
    last[codes] = np.arange(len(codes))  # the last one of each stands
    ample = np.flatnonzero(counts >= AMPLE * size)
    code = ample[last[ample].argmax()] if len(ample) else np.lexsort((last, counts))[-1]
    return slots[window.encoder_codes[slots] == code]


def seen_by(
    strategy: Strategy, window: Window, slots: Slots, reason: Reason, known: Known, *, partition: int
) -> Candidates:
    """Return comparable rows as the strategy's window; only what it reads is gathered.

    It hears of the rounds that were held for the same reason: a schedule begins when the cold start is over.
    """
    reads = strategy.reads
    embeddings, covered = np.zeros((window.capacity, 0), np.float16), window.taken()[:0]
    labelled = head = None
    if strategy.needs_embeddings:
        newest = window.newest(slots)
        embeddings = window.embeddings
        covered = _of_encoder(window, window.taken(), newest)
        labelled = _labelled(window, covered, known.labels)
        head = _head(window, newest, known)
    return Candidates(
        window.probs, embeddings, embeddings[covered], keys_B=window.keys, rows=slots,
        metadata=_Metadata(window, slots) if Need.METADATA in reads else None,
        columns=_columns(window, slots) if Need.COLUMNS in reads else None,
        labelled=labelled, head=head,
        progress=_progress(reason, known, partition),
    )  # fmt: skip


def past_of(rounds: Mapping[int, Held], accuracies: Mapping[str, float], reason: Reason) -> tuple[Past, ...]:
    """Return the rounds held for this reason, oldest first.

    Each with the accuracy of the version that it went by and of the first other one that came after it.

    >>> held = {0: Held("random", "spare", Reason.COLD_START), 1: Held("margin", "v1"), 2: Held("k", "v2")}
    >>> [(one.strategy, one.before, one.after) for one in past_of(held, {"v1": 0.8}, Reason.STRATEGY)]
    [('margin', 0.8, None), ('k', None, None)]
    >>> past_of(held, {"v1": 0.8}, Reason.COLD_START)
    (Past(strategy='random', before=None, after=0.8),)
    """
    past: list[Past] = []
    after = version = None
    for number in sorted(rounds, reverse=True):
        held = rounds[number]
        if version is not None and held.version != version:
            after = accuracies.get(version)
        if held.reason is reason:
            past.append(Past(held.strategy, accuracies.get(held.version), after))
        version = held.version
    return tuple(reversed(past))


def _progress(reason: Reason, known: Known, partition: int) -> Progress:
    past = past_of(known.rounds, known.accuracies, reason)
    return Progress(len(past), partition, past)


def _of_encoder(window: Window, slots: Slots, like: int) -> Slots:
    return slots[window.encoder_codes[slots] == window.encoder_codes[like]]


def _labelled(window: Window, taken: Slots, labels: Mapping[str, int]) -> Labelled | None:
    known = [labels.get(name, -1) for name in window.ids_of(taken)] if labels else []
    slots = taken[[number >= 0 for number in known]] if known else taken[:0]
    if not len(slots):
        return None
    classes = np.array([number for number in known if number >= 0], np.int64)
    return Labelled(window.embeddings[slots], classes, window.probs[slots].mean(axis=1))


def _head(window: Window, newest: int, known: Known) -> LinearHead | None:
    if known.live is None or known.live[0] != window.version_of(newest):
        return None
    head = known.live[1]
    if not head.linear:
        return None
    temperature = np.float32(head.temperature)
    return LinearHead(head.weights_MDC / temperature, head.bias_MC / temperature)


def _columns(window: Window, slots: Slots) -> dict[str, NDArray[np.float64]]:
    """Return the metadata that is a number in some of these rows, as columns over the whole ring.

    Where a row has no such number the column has nan.
    """
    columns: dict[str, NDArray[np.float64]] = {}
    for slot, said_of in zip(slots.tolist(), window.metadatas_of(slots), strict=True):
        for name, said in said_of.items():
            try:
                number = float(said)
            except ValueError:
                continue
            columns.setdefault(name, np.full(window.capacity, np.nan))[slot] = number
    return columns


class _Metadata(Sequence[Mapping[str, str]]):
    """The metadata of some rows, as a sequence over the whole ring."""

    def __init__(self, window: Window, slots: Slots) -> None:
        self._size = window.capacity
        self._of = dict(zip(slots.tolist(), window.metadatas_of(slots), strict=True))

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> Mapping[str, str]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Mapping[str, str]]: ...
    def __getitem__(self, index: int | slice) -> Mapping[str, str] | Sequence[Mapping[str, str]]:
        if isinstance(index, slice):
            return [self._of.get(slot, {}) for slot in range(*index.indices(self._size))]
        return self._of.get(index, {})
