"""The parent's side of a training run: one job, one child, a report or the reason why there is none."""

import asyncio
import signal
import sys
from logging import getLogger
from pathlib import Path
from typing import Final, Self

from siftstream.models.training.bounds import killed_for_memory
from siftstream.models.training.job import REPORT, Report, read_report
from siftstream.models.training.process import Child, Told
from siftstream.models.training.settings import LimitSettings
from siftstream.models.training.watch import Watch
from siftstream.schemas.errors import TrainingError, TrainingKilled

log = getLogger(__name__)
CHILD: Final = (sys.executable, "-m", "siftstream.models.training.child")
_CRASHES: Final = ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGTRAP", "SIGSYS", "SIGXFSZ")


async def train(job_dir: Path, limits: LimitSettings, told: Told | None = None) -> Report:
    """Run one job in a child of its own; as `Trainer.train`, without a spare child."""
    async with Trainer(prewarm=False) as trainer:
        return await trainer.train(job_dir, limits, told)


class Trainer:
    """Runs jobs in child processes, one job a child.

    With `prewarm`, a spare child has torch imported already and waits for the next job; `warm` starts it
    ahead of the first. No child outlives `close`, a cancelled `train`, or this process however it ends.
    """

    def __init__(self, *, prewarm: bool = True, command: tuple[str, ...] = CHILD) -> None:
        self._prewarm = prewarm
        self._command = command
        self._spare: Child | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def warm(self) -> None:
        """Start the spare child if one is wanted and there is none; returns while it still imports torch."""
        if not self._prewarm:
            return
        try:
            self._spare = await self._next()
        except TrainingError as error:  # the run that needs it says so again
            log.warning("%s", error)

    async def train(self, job_dir: Path, limits: LimitSettings, told: Told | None = None) -> Report:
        """Run the job in `job_dir` and return its report; `told` hears progress lines as they come.

        A run that is cancelled takes its child along at once; the next has a child of its own.

        Raises:
            TrainingKilled: somebody killed the child, or the kernel did for want of memory.
            TrainingError: it failed or took more than `limits`; the message says which.
        """
        (job_dir / REPORT).unlink(missing_ok=True)
        child = await self._next()
        watch = Watch(limits, child.pid, told or (lambda _: None))
        before = killed_for_memory()
        try:
            code = await child.run(job_dir, watch.hear, watch.look)
        finally:
            await child.end()
        await self.warm()
        report = await asyncio.to_thread(read_report, job_dir)
        if code == 0 and report is not None and not report.error:
            return report
        if report is not None and report.error:
            words = report.error
            raise TrainingError(words if words.startswith("training") else f"training: {words}")
        raise _reason(code, child.last_words, for_memory=killed_for_memory() > before)

    async def close(self) -> None:
        """End the spare child, if there is one."""
        child, self._spare = self._spare, None
        if child is not None:
            await child.end()

    async def _next(self) -> Child:
        """The spare child, if it lives, or a new one; there is no spare then."""
        spare, self._spare = self._spare, None
        if spare is not None:
            if spare.alive:
                return spare
            await spare.end()
        return await Child.start(self._command)


def _reason(code: int, last: str, *, for_memory: bool) -> TrainingError:
    """Say in one sentence why a child left no report."""
    if code == -signal.SIGKILL and for_memory:
        return TrainingKilled(
            "training: the kernel killed the child, because the machine or its container ran out of memory;"
            " give it more, or bound it by retrain.train.limits.memory"
        )
    if code >= 0:
        return TrainingError(f"training: the child ended with code {code} and left no report: {last}")
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    if name in _CRASHES:
        return TrainingError(f"training: the child died of {name}: {last}")
    return TrainingKilled(f"training: the child was killed by {name} from outside")
