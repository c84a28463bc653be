"""What a running child is held to, seen from its parent: time, signs of life, memory."""

import time
from collections.abc import Callable

from siftstream.models.training.bounds import in_use
from siftstream.models.training.pace import Pace
from siftstream.models.training.settings import LimitSettings
from siftstream.schemas import Progress
from siftstream.schemas.errors import TrainingError

Told = Callable[[Progress], None]
_MIB = 1 << 20


class Watch:
    """Hears one run's progress, and refuses when it is over a limit."""

    def __init__(
        self, limits: LimitSettings, pid: int, told: Told, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Args: what it may take; the child; who wants to hear how far it is; seconds, from anywhere."""
        self._limits, self._pid, self._told, self._clock = limits, pid, told, clock
        self._pace = Pace(clock)
        self._began = self._heard = clock()
        self._phase = ""

    def hear(self, progress: Progress) -> None:
        """Pass on how far it is, with the time that is left."""
        self._heard, self._phase = self._clock(), progress.phase
        self._told(self._pace(progress))

    def look(self) -> None:
        """See that all is well.

        Raises:
            TrainingError: it takes too long, or hangs, or takes too much memory.
        """
        limits, now = self._limits, self._clock()
        if now - self._began > limits.timeout:
            raise TrainingError(
                f"training: not done after {limits.timeout:g} s and stopped; raise"
                " retrain.train.limits.timeout, or lower full.epochs or full.max_steps"
            )
        if now - self._heard > limits.stall:
            where = f"in phase '{self._phase}'" if self._phase else "at its begin"
            raise TrainingError(
                f"training: no sign of life for {limits.stall:g} s {where}: it hangs and was stopped; raise"
                " retrain.train.limits.stall if it was only slow"
            )
        used = in_use(self._pid) if limits.memory is not None else None
        if limits.memory is not None and used is not None and used > limits.memory:
            raise TrainingError(
                f"training: the child took {used // _MIB} MiB, more than the {limits.memory // _MIB} MiB that"
                " retrain.train.limits.memory allows, and was stopped; raise it, or train on less at a time"
            )
