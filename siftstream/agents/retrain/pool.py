"""L, the labelled pool: one resolved label a sample in flat arrays, as `labelled` tells it."""

import asyncio
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from siftstream.models.training.job import SLICES
from siftstream.schemas import Slice, TrainingLabel
from siftstream.streams.record import Record

NONE: Final = -1  # the class of a sample without a usable label
_CHUNK: Final = 20_000  # ids that are turned at once: other threads wait so long
_TRAIN: Final = SLICES.index(Slice.TRAIN)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """L at one moment: N usable labels in the order of their ids, and where each stands in the log."""

    ids: Sequence[str]
    uris: Sequence[str]
    classes_N: NDArray[np.int64]  # numbers of the pipeline's classes
    weights_N: NDArray[np.float32]  # as consensus gave them: the annotators' agreement
    slices_N: NDArray[np.uint8]  # places in models.training.job.SLICES
    chances_N: NDArray[np.float64]  # inclusion probability, nan where there is none
    resolved_N: NDArray[np.float64]  # seconds since the epoch
    partitions_N: NDArray[np.int64]
    offsets_N: NDArray[np.int64]  # of the record in `labelled`
    upto: tuple[int, ...]  # a partition each: all records of smaller offset are in it

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, which: NDArray[np.intp]) -> Self:
        """Return some of the labels."""
        arrays: dict[str, Any] = {
            name: getattr(self, name)[which]
            for name in ("classes_N", "weights_N", "slices_N", "chances_N", "resolved_N",
                         "partitions_N", "offsets_N")
        }  # fmt: skip
        return replace(
            self, ids=[self.ids[row] for row in which], uris=[self.uris[row] for row in which], **arrays
        )

    def where(self, *wanted: Slice) -> NDArray[np.intp]:
        """Return the rows of these slices."""
        return np.flatnonzero(np.isin(self.slices_N, [SLICES.index(name) for name in wanted]))


class Pool:
    """A fold over `labelled`; the newest resolution of a sample replaces the older.

    A sample that lost its label keeps its row, for that is a change too. Takes about 320 bytes a sample of
    an id of 32 and a URI of 60 characters, most of it these two.

    >>> pool = Pool(("cat", "dog"), partitions=1)
    >>> def tell(offset, name, label):
    ...     told = TrainingLabel(sample_id=name, uri=f"file:///{name}.png", label=label)
    ...     pool.fold(Record("labelled", 0, offset, None, told.encode()))
    >>> tell(0, "a", "cat"); tell(1, "b", "dog"); tell(2, "a", "cat")
    >>> len(pool), pool.upto, pool.changed
    (2, (3,), 2)
    >>> pool.count_from((3,))
    >>> tell(3, "a", "dog"); tell(4, "b", None); tell(5, "b", None)
    >>> len(pool), pool.changed
    (1, 2)
    """

    def __init__(self, classes: Sequence[str], partitions: int) -> None:
        """Args: the pipeline's classes: labels of others are not usable here; partitions of `labelled`."""
        self._numbers = {name: number for number, name in enumerate(classes)}
        self._rows: dict[str, int] = {}
        self._ids: list[str] = []  # by row, and only ever appended to: snapshots share them
        self._uris: list[str] = []
        self._columns = Columns()
        self._upto = [0] * partitions
        self._since = (0,) * partitions
        self._usable = self._training = self._changed = 0
        self._newest = 0.0

    def fold(self, record: Record) -> None:
        """Learn one resolution; a sample without a label leaves the pool.

        Raises:
            SchemaError: not a `TrainingLabel`.
        """
        self._upto[record.partition] = record.offset + 1
        label = TrainingLabel.decode(record.value)
        number = NONE if label.label is None else self._numbers.get(label.label, NONE)
        row = self._rows.get(label.sample_id)
        if row is None:
            if number == NONE:
                return
            row = self._rows[label.sample_id] = len(self._ids)
            self._ids.append(label.sample_id)
            self._uris.append("")
            self._columns.append()
        self._learn(row, label, number, record.partition, record.offset)

    def __len__(self) -> int:
        """Usable labels, of all slices."""
        return self._usable

    @property
    def training(self) -> int:
        """Usable labels in the training slice."""
        return self._training

    @property
    def upto(self) -> tuple[int, ...]:
        """Offsets, a partition each, before which everything was folded."""
        return tuple(self._upto)

    @property
    def changed(self) -> int:
        """Samples whose label is new, another or gone since the offsets of `count_from`."""
        return self._changed

    @property
    def newest(self) -> float:
        """When the newest change was resolved, seconds since the epoch; 0 before the first."""
        return self._newest

    def count_from(self, since: Sequence[int]) -> None:
        """Count changes from these offsets on, a partition each; the others start at 0. O(samples)."""
        given = dict(enumerate(since))
        self._since = tuple(given.get(partition, 0) for partition in range(len(self._upto)))
        columns = self._columns
        changed_N = np.frombuffer(columns.changed, np.int64)
        partitions_N = np.frombuffer(columns.partitions, np.int32)
        self._changed = int((changed_N >= np.array(self._since)[partitions_N]).sum())

    def frozen(self) -> "Frozen":
        """Return L as it is now; copies 37 bytes a sample, the costly rest is `Frozen.snapshot`."""
        return Frozen(self._ids, self._uris, self._columns.copies(), self.upto, len(self))

    def _learn(self, row: int, label: TrainingLabel, number: int, partition: int, offset: int) -> None:
        columns, uri = self._columns, self._uris[row]
        before = columns.content(row)
        used = before[0] != NONE
        trained = used and before[1] == _TRAIN
        counted = columns.changed[row] >= self._since[columns.partitions[row]]
        columns.put(row, number, label, partition, offset)
        if before == columns.content(row) and (number == NONE or uri == label.uri):
            return
        columns.changed[row] = offset
        self._uris[row] = label.uri
        self._usable += (number != NONE) - used
        self._training += (number != NONE and label.slice is Slice.TRAIN) - trained
        self._changed += (offset >= self._since[partition]) - counted
        self._newest = max(self._newest, label.resolved_at)


class Columns:
    """What the pool knows of each sample beside its id and URI, a flat array each: 45 bytes a sample."""

    def __init__(self) -> None:
        self.classes = array("i")
        self.weights = array("f")
        self.slices = array("B")
        self.chances = array("d")
        self.resolved = array("d")
        self.partitions = array("i")
        self.offsets = array("q")
        self.changed = array("q")  # offset of the newest record that changed anything

    def append(self) -> None:
        """Add a sample without a label that never changed."""
        for column, value in zip(self._all(), (NONE, 0.0, 0, np.nan, 0.0, 0, -1, -1), strict=True):
            column.append(value)

    def put(self, row: int, number: int, label: TrainingLabel, partition: int, offset: int) -> None:
        """Note a resolution."""
        chance = label.inclusion_probability
        self.classes[row], self.offsets[row], self.partitions[row] = number, offset, partition
        self.resolved[row] = label.resolved_at
        self.slices[row] = SLICES.index(label.slice)
        self.weights[row] = label.weight
        self.chances[row] = np.nan if chance is None else chance

    def content(self, row: int) -> tuple[float, ...]:
        """What a model learns from: where it is the same, nothing changed."""
        if self.classes[row] == NONE:
            return (NONE,)
        chance = self.chances[row]
        known = -1.0 if np.isnan(chance) else chance
        return (self.classes[row], self.slices[row], self.weights[row], known)

    def copies(self) -> dict[str, NDArray[Any]]:
        """Return copies of all columns but `changed`, by name."""
        names = ("classes", "weights", "slices", "chances", "resolved", "partitions", "offsets")
        return {name: np.array(getattr(self, name)) for name in names}

    def _all(self) -> "tuple[array[Any], ...]":
        return (self.classes, self.weights, self.slices, self.chances, self.resolved, self.partitions,
                self.offsets, self.changed)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Frozen:
    """The pool of one moment, in the order in which its samples came."""

    ids: list[str]  # the pool's own, which may have grown since
    uris: list[str]
    columns: dict[str, NDArray[Any]]
    upto: tuple[int, ...]
    usable: int

    async def snapshot(self) -> Snapshot:
        """Put it in the order of the ids, in a thread: the same pool is the same training set."""
        return await asyncio.to_thread(self._sorted)

    def _sorted(self) -> Snapshot:
        kept = np.flatnonzero(self.columns["classes"] != NONE)
        rows = kept[np.argsort(self._names(kept), kind="stable")]
        of = {name: column[rows] for name, column in self.columns.items()}
        return Snapshot(
            [self.ids[row] for row in rows],
            [self.uris[row] for row in rows],
            of["classes"].astype(np.int64),
            of["weights"].astype(np.float32, copy=False),
            of["slices"],
            of["chances"],
            of["resolved"],
            of["partitions"].astype(np.int64),
            of["offsets"],
            self.upto,
        )

    def _names(self, kept: NDArray[np.intp]) -> NDArray[Any]:
        """The ids of rows as an array, which is sorted without the interpreter's lock."""
        text = np.dtypes.StringDType()
        names = np.empty(len(kept), text)
        for at in range(0, len(kept), _CHUNK):
            part = kept[at : at + _CHUNK].tolist()
            names[at : at + len(part)] = np.array([self.ids[row] for row in part], text)
        return names
