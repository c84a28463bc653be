"""Which micro-batches make the next device batch, and when."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from siftstream.agents.infer.settings import BatchSettings

T = TypeVar("T")


class Batcher(Generic[T]):
    """Waiting micro-batches, first come first out; whole ones only, so a large one may exceed `max` alone.

    >>> batcher = Batcher[str](BatchSettings(min=4, max=8, max_wait=1.0), clock=lambda: 0.0)
    >>> batcher.add("a", 3); batcher.due_in()
    1.0
    >>> batcher.add("b", 3); batcher.add("c", 3); batcher.due_in(), batcher.take()
    (0.0, ['a', 'b'])
    """

    def __init__(self, settings: BatchSettings, clock: Callable[[], float]) -> None:
        self._settings, self._clock = settings, clock
        self._waiting: deque[tuple[T, int, float]] = deque()
        self.samples = 0  # that wait

    def add(self, batch: T, samples: int) -> None:
        """Let a micro-batch of so many samples wait."""
        self._waiting.append((batch, samples, self._clock()))
        self.samples += samples

    def due_in(self, *, idle: bool = False) -> float | None:
        """Return the seconds until there is a batch worth running: 0 now, None while nothing waits.

        While the device is `idle` anything is worth a run: waiting would save no one any time.
        """
        if not self._waiting:
            return None
        if idle or self.samples >= self._settings.min:
            return 0.0
        return max(0.0, self._waiting[0][2] + self._settings.max_wait - self._clock())

    def take(self) -> list[T]:
        """Return the next device batch's micro-batches."""
        taken: list[T] = []
        size = 0
        while self._waiting and (not taken or size + self._waiting[0][1] <= self._settings.max):
            batch, samples, _ = self._waiting.popleft()
            taken.append(batch)
            size += samples
        self.samples -= size
        return taken
