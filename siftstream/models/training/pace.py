"""How long the phase under way still takes, by its own pace so far."""

import time
from collections.abc import Callable

from siftstream.schemas import Progress

_LEAST_S, _LEAST_STEPS = 1.0, 3  # of a phase, before its pace is believed: the first steps warm up


class Pace:
    """Adds the seconds left to what a run tells; a phase begins anew where its steps do.

    >>> times = iter([0.0, 1.0, 2.0, 4.0])
    >>> pace = Pace(clock=lambda: next(times))
    >>> [pace(Progress(phase="fit", step=step, steps=100)).remaining for step in (0, 2, 10, 20)]
    [None, None, 18.0, 16.0]
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Args: seconds, from anywhere."""
        self._clock = clock
        self._phase = ""
        self._began = 0.0
        self._first = self._last = 0

    def __call__(self, progress: Progress) -> Progress:
        """Return it with the time that its phase still takes, where that can be told already."""
        now = self._clock()
        done, total = (progress.step, progress.steps) if progress.steps else (progress.epoch, progress.epochs)
        if progress.phase != self._phase or done < self._last:
            self._phase, self._began, self._first = progress.phase, now, done
        self._last = done
        taken, passed = now - self._began, done - self._first
        if progress.remaining is not None or not total or taken < _LEAST_S or passed < _LEAST_STEPS:
            return progress
        left = max(0.0, taken / passed * (total - done))
        return progress.model_copy(update={"remaining": round(left, 1)})
