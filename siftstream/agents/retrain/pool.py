"""L, the labelled pool: one resolved label a sample, as `labelled` tells it."""

import asyncio
from collections.abc import Callable

from siftstream.schemas import Slice, TrainingLabel
from siftstream.streams.record import Record


def _never() -> None:
    """Nothing is urgent."""


class Pool:
    """A fold over `labelled`; the newest resolution of a sample replaces the older."""

    def __init__(self) -> None:
        self._labels: dict[str, TrainingLabel] = {}
        self._grown = asyncio.Event()

    def fold(self, record: Record) -> None:
        """Learn one resolution; a sample without a label leaves the pool.

        Raises:
            SchemaError: not a `TrainingLabel`.
        """
        label = TrainingLabel.decode(record.value)
        if label.usable:
            self._labels[label.sample_id] = label
        else:
            self._labels.pop(label.sample_id, None)
        self._grown.set()

    def __len__(self) -> int:
        return len(self._labels)

    def labels(self) -> list[TrainingLabel]:
        """All usable labels, in the order of their ids: the same pool is the same training set."""
        return [self._labels[key] for key in sorted(self._labels)]

    async def reaches(self, usable: int, training: int, in_haste: Callable[[], int | None] = _never) -> None:
        """Wait until there are `usable` labels, `training` of them in the training slice.

        Where `in_haste` gives a number, so many usable ones do; it is asked at each change and `nudge`.
        """
        while not self._reached(usable, training, in_haste()):
            self._grown.clear()
            await self._grown.wait()

    def nudge(self) -> None:
        """Let who waits ask again: something beside the labels changed."""
        self._grown.set()

    def _reached(self, usable: int, training: int, hasty: int | None) -> bool:
        wanted = usable if hasty is None else min(usable, hasty)
        return len(self) >= wanted and self._training() >= training

    def _training(self) -> int:
        return sum(label.slice is Slice.TRAIN for label in self._labels.values())
