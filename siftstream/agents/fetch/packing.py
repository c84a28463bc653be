"""Packing: finished samples become micro-batches, each on the partition of its samples.

A batch goes out when it is full, when its oldest sample has waited, or when nothing more is under way that
could join it; the last no oftener than `EARLY_S` a batch, so that a thin stream is not cut into records of
one sample that each stage behind pays for.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas import DataUri, Features
from siftstream.schemas.arrays import stacked
from siftstream.streams.partition import partitions_of_ids
from siftstream.streams.record import Outgoing

EARLY_S: Final = 0.01  # pause after each batch that goes before it is full or has waited
T = TypeVar("T")


class Sample:
    """One sample, ready for the model."""

    __slots__ = ("content", "event", "inputs", "nbytes")

    def __init__(self, event: DataUri, inputs: dict[str, NDArray[Any]], content: bytes) -> None:
        """Args: the event; the transform's arrays; sha256 of the loaded bytes."""
        self.event, self.inputs, self.content = event, inputs, content
        words = sum(len(key) + len(value) for key, value in event.metadata.items())
        arrays = sum(array.nbytes for array in inputs.values())
        self.nbytes = arrays + len(event.uri) + words + 100  # about what it adds to a record


def packed(samples: Sequence[Sample], partition: int) -> Outgoing:
    """Return one micro-batch of these samples."""
    batch = Features(
        sample_ids=[sample.event.sample_id for sample in samples],
        uris=[sample.event.uri for sample in samples],
        event_times=np.array([sample.event.event_time for sample in samples]),
        metadata=[sample.event.metadata for sample in samples],
        inputs=stacked([sample.inputs for sample in samples]),
        contents=[sample.content for sample in samples],
    )
    return Outgoing(Features.topic, batch.encode(), partition=partition)


class Packer(Generic[T]):
    """Collects samples by partition, and lets each batch go in its time."""

    def __init__(
        self,
        settings: FetchSettings,
        partitions: int,
        out: Callable[[int, list[tuple[Sample, T]]], None],
    ) -> None:
        """Args: limits and linger; number of partitions; what takes a partition's batch, in the loop.

        Each sample is carried with whatever its owner needs when it is sent.
        """
        self._settings = settings
        self._partitions = partitions
        self._out = out
        self._open: dict[int, list[tuple[Sample, T]]] = {}
        self._sizes: dict[int, int] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._linger = settings.linger
        self._early_from = 0.0  # in the loop's time
        self._soon: asyncio.TimerHandle | None = None
        self.waiting = 0  # samples in open batches

    def add(self, samples: Sequence[tuple[Sample, T]]) -> None:
        """Put samples into the batches of their partitions."""
        places = partitions_of_ids([sample.event.sample_id for sample, _ in samples], self._partitions)
        for (sample, owner), partition in zip(samples, places, strict=True):
            size = self._sizes.get(partition, 0) + sample.nbytes
            if size > self._settings.micro_batch_bytes:
                self.flush(partition)
                size = sample.nbytes
            batch = self._open.setdefault(partition, [])
            batch.append((sample, owner))
            self.waiting += 1
            self._sizes[partition] = size
            if len(batch) >= self._settings.micro_batch:
                self.flush(partition)
            elif len(batch) == 1:
                loop = asyncio.get_running_loop()
                self._timers[partition] = loop.call_later(self._linger, self.flush, partition)

    def flush(self, partition: int) -> None:
        """Send what the partition's batch holds."""
        timer = self._timers.pop(partition, None)
        if timer is not None:
            timer.cancel()
        self._sizes.pop(partition, None)
        batch = self._open.pop(partition, None)
        if batch:
            self.waiting -= len(batch)
            self._out(partition, batch)

    def quiet(self, still: Callable[[], bool]) -> None:
        """Let what is open go, now or soon: nothing else is under way; `still` says if that holds."""
        if not self._open or self._soon is not None:
            return
        loop = asyncio.get_running_loop()
        pause = self._early_from - loop.time()
        if pause > 0:
            self._soon = loop.call_later(pause, self._quiet_later, still)
            return
        open_now = list(self._open)
        self._early_from = loop.time() + EARLY_S * len(open_now)
        for partition in open_now:
            self.flush(partition)

    def _quiet_later(self, still: Callable[[], bool]) -> None:
        self._soon = None
        if still():
            self.quiet(still)

    def hurry(self) -> None:
        """Let nothing wait any more: no more samples are coming than those under way."""
        self._linger = 0.0
        for partition in list(self._open):
            self.flush(partition)

    def close(self) -> None:
        """Send nothing more."""
        for timer in (*self._timers.values(), self._soon):
            if timer is not None:
                timer.cancel()
        self._timers.clear()
        self._open.clear()
