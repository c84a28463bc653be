"""Which stretches of features are to be read again: one a partition, the newest request counts."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from siftstream.schemas import Reread

Ack: TypeAlias = Callable[[], Awaitable[Any]]


@dataclass(eq=False)
class Job:
    """One request under way; what is before `at` is scored, and the scores are in the log."""

    asked: Reread
    partition: int  # of the request, of its features and of their scores
    offset: int  # of the request
    generation: int  # of the group, when the request was last handed out
    ack: Ack  # acknowledges the request
    at: int = 0  # offset of the features read next
    read: int = 0  # records of features
    scored: int = 0  # samples
    left_out: int = 0  # samples that the model cannot judge, and records that cannot be read

    def __post_init__(self) -> None:
        self.at = max(self.at, self.asked.first)


class Requests:
    """Takes requests as the log brings them; after a rebalance it may bring the same ones again.

    >>> async def ack() -> None: ...
    >>> def job(offset: int, first: int) -> Job:
    ...     return Job(Reread(partition=0, version="v2", encoder="e", first=first, end=9), 0, offset, 1, ack)
    >>> requests, older, newer = Requests(), job(offset=4, first=0), job(offset=5, first=3)
    >>> requests.take(older), requests.take(newer) == [ack], requests.next() is newer
    ([], True, True)
    """

    def __init__(self) -> None:
        self._jobs: dict[int, Job] = {}  # by partition, first come first done
        self._finished: dict[int, int] = {}  # by partition, the newest request that needs no more work
        self._made: dict[int, Job] = {}  # by partition, the last that was done whole

    def take(self, job: Job) -> list[Ack]:
        """Let a request wait its turn; return what acknowledges those that need no work any more."""
        running, partition = self._jobs.get(job.partition), job.partition
        if job.offset <= self._finished.get(partition, -1) or self._is_made(job):
            return [job.ack]
        if running is not None and job.offset <= running.offset:
            if job.offset < running.offset:
                return [job.ack]
            running.ack, running.generation = job.ack, job.generation
            return []
        self._jobs[partition] = job
        return [running.ack] if running is not None else []

    def next(self) -> Job | None:
        """Return the job whose turn it is, if there is one."""
        return next(iter(self._jobs.values()), None)

    def has(self, job: Job) -> bool:
        """Whether the job is still to be done: no newer request took its place."""
        return self._jobs.get(job.partition) is job

    def finish(self, job: Job, *, whole: bool) -> None:
        """Note that a job needs no more work; `whole`: all that it asked for is in the log."""
        self.drop(job)
        self._finished[job.partition] = max(job.offset, self._finished.get(job.partition, -1))
        if whole:
            self._made[job.partition] = job

    def drop(self, job: Job) -> None:
        """Forget a job: another worker does it, and here it is new should it come back."""
        if self.has(job):
            del self._jobs[job.partition]

    def _is_made(self, job: Job) -> bool:
        """Whether all of it was just done.

        Select asks again for rows that stay old: their features are gone, or the model cannot judge them.
        """
        made = self._made.get(job.partition)
        if made is None:
            return False
        if (made.asked.version, made.generation) != (job.asked.version, job.generation):
            del self._made[job.partition]
            return False
        return made.asked.first <= job.asked.first and job.asked.end <= made.asked.end
