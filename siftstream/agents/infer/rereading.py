"""Re-inference on request: the live model over features of the past, in the pauses of the live flow.

Select asks when a model with another encoder is live. A request is acknowledged when all its scores are;
until then a worker that takes the partition over does it again, and repeats are harmless.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from logging import getLogger
from time import monotonic
from typing import Final, Protocol

import numpy as np

from siftstream.agents.infer.deployment import Deployment
from siftstream.agents.infer.judging import Judged
from siftstream.agents.infer.part import Part
from siftstream.agents.infer.requests import Ack, Job, Requests
from siftstream.agents.infer.scoring import Batch
from siftstream.schemas import Features, Reread
from siftstream.schemas.arrays import Arrays, joined
from siftstream.schemas.errors import BadRecord, EmitTimeout, UnavailableError
from siftstream.streams.record import Outgoing, Record
from siftstream.streams.work import Work

TURN_S: Final = 0.25  # a batch waits no longer for a pause: else a busy worker would never come to it
SETTLES_S: Final = 1.0  # between two looks whether the newest model is loaded
AGAIN_S: Final = 1.0  # pause before the next try while the broker is away
log = getLogger(__name__)


class Live(Protocol):
    """The main line's model, as `LiveModel` follows it."""

    deployment: Deployment

    async def settled(self, within: float) -> bool:
        """Wait until what the log says is live is deployed or refused; tell whether it is."""
        ...


class Reading(Protocol):
    """A stretch of features that is read again."""

    @property
    def over(self) -> bool:
        """Whether all of it was read."""
        ...

    async def read(self) -> list[Record]:
        """Return the next records."""
        ...


class Around(Protocol):
    """What rereading needs of its worker."""

    def opened(self, partition: int, first: int, end: int) -> AbstractAsyncContextManager[Reading]:
        """Open a stretch of a partition's features."""
        ...

    async def send(self, outputs: Sequence[Outgoing]) -> None:
        """Write records; returns when they are acknowledged."""
        ...

    def owns(self, partition: int) -> bool:
        """Whether the partition's requests are this worker's, or it is being decided."""
        ...

    def note_progress(self) -> None:
        """Hear that something was done."""
        ...


class Rereading:
    """Does requests one after the other, a small batch at a time."""

    def __init__(
        self,
        live: Live,
        size: int,
        around: Around,
        count: Callable[[str, float], None] = lambda _, __: None,
    ) -> None:
        """Args: the main line; samples a batch; the worker; what counts samples by outcome."""
        self._live, self._size, self._around, self._count = live, size, around, count
        self._requests = Requests()
        self._arrived = asyncio.Event()

    async def take(self, asked: Reread, record: Record, generation: int, ack: Ack) -> None:
        """Take a request, which stands in this record; it supersedes an older one of its partition."""
        job = Job(asked, record.partition, record.offset, generation, ack)
        for done in self._requests.take(job):
            await done()
        self._arrived.set()

    async def run(self, idle: Callable[[], Awaitable[None]]) -> None:
        """Do what is asked for, for ever.

        Args:
            idle: Waits until the live flow leaves something to run on.

        Raises:
            EmitTimeout: the broker did not acknowledge in time; the worker should end.
        """
        while True:
            job = self._requests.next()
            if job is None:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            try:
                await self._do(job, idle)
            except EmitTimeout:
                raise
            except UnavailableError as error:
                log.warning("partition %d is read again later: %s", job.partition, error)
                await asyncio.sleep(AGAIN_S)
            except Exception:  # else every worker after this one would end by it too; select asks again
                log.exception("partition %d is not read again for %s", job.partition, job.asked.version)
                await self._finish(job, whole=False)

    async def _do(self, job: Job, idle: Callable[[], Awaitable[None]]) -> None:
        """Do a job to its end, or until it is nobody's or another's."""
        asked, began = job.asked, monotonic()
        while self._is_wanted(job):
            self._around.note_progress()
            if not await self._live.settled(SETTLES_S):
                continue
            if not _has_encoder(self._live.deployment, asked.encoder):
                log.info("partition %d is not read again: %s is not live", job.partition, asked.version)
                await self._finish(job, whole=False)
                return
            if await self._read(job, idle):
                self._tell(job, monotonic() - began)
                await self._finish(job, whole=True)
                return
        self._requests.drop(job)
        log.info("partition %d is not read on at %d: a newer request, or another worker's",
                 job.partition, job.at)  # fmt: skip

    async def _read(self, job: Job, idle: Callable[[], Awaitable[None]]) -> bool:
        """Score from where the job stands; False where it, or the model, changed on the way."""
        log.info("partition %d is read again for %s: features %d to %d",
                 job.partition, job.asked.version, job.at, job.asked.end)  # fmt: skip
        async with self._around.opened(job.partition, job.at, job.asked.end) as stretch:
            while not stretch.over:
                records = await stretch.read()
                unreadable = len(records)
                for inputs, batches in device_batches(records, self._size):
                    if not await self._score(job, inputs, batches, idle):
                        return False
                    job.at, job.read = batches[-1][0].offset + 1, job.read + len(batches)
                    unreadable -= len(batches)
                job.read += unreadable
                if not self._is_wanted(job):
                    return False
        return True

    async def _score(
        self, job: Job, inputs: Arrays, batches: Sequence[Batch], idle: Callable[[], Awaitable[None]]
    ) -> bool:
        """Score a device batch in pieces, each in a pause; False where job or model changed."""
        count = sum(len(features) for _, features in batches)
        for start in range(0, count, self._size):
            which = np.arange(start, min(count, start + self._size))
            await _turn(idle)
            if not self._is_wanted(job):
                return False
            deployment = self._live.deployment
            said, outputs = await asyncio.to_thread(scored_again, deployment, inputs, batches, which)
            if said.model.encoder.sha256 != job.asked.encoder:
                return False
            await self._around.send(outputs)
            self._around.note_progress()
            job.scored += len(said.good)
            job.left_out += len(which) - len(said.good)
            self._count("scored", len(said.good))
            self._count("left_out", len(which) - len(said.good))
        return True

    async def _finish(self, job: Job, *, whole: bool) -> None:
        if self._requests.has(job):
            self._requests.finish(job, whole=whole)
            await job.ack()

    def _is_wanted(self, job: Job) -> bool:
        return self._requests.has(job) and self._around.owns(job.partition)

    def _tell(self, job: Job, seconds: float) -> None:
        asked = max(0, job.asked.end - job.asked.first)
        if job.read < asked:
            log.warning("partition %d: %d of %d records of features are gone, their samples keep old scores",
                        job.partition, asked - job.read, asked)  # fmt: skip
        log.info("partition %d was read again for %s: %d samples scored, %d left out, in %.1f s",
                 job.partition, job.asked.version, job.scored, job.left_out, seconds)  # fmt: skip


def scored_again(
    deployment: Deployment, inputs: Arrays, batches: Sequence[Batch], which: np.ndarray
) -> tuple[Judged, list[Outgoing]]:
    """Return what the model says of rows of a device batch, and its scores as records, marked as made anew.

    What it cannot judge is left out: it is scored already, and no dead letter.
    """
    said, start, work = deployment.judge(inputs, which), 0, Work()
    for record, features in batches:
        work += Part(deployment.line, said, record, features, start, again=True).work()
        start += len(features)
    return said, work.outputs


def device_batches(records: Sequence[Record], size: int) -> list[tuple[Arrays, list[Batch]]]:
    """Join records in order until there are `size` samples or more; what cannot be read is left out.

    Records of another configuration of fetch, whose arrays cannot be joined, are batches of their own.
    """
    groups: list[list[Batch]] = [[]]
    for record in records:
        try:
            batch = (record, Features.decode(record.value))
        except BadRecord:  # infer made it a dead letter when it first came
            continue
        if sum(len(features) for _, features in groups[-1]) >= size:
            groups.append([])
        groups[-1].append(batch)
    return [made for group in groups if group for made in _joined(group)]


def _joined(group: list[Batch]) -> list[tuple[Arrays, list[Batch]]]:
    try:
        return [(joined([features.inputs for _, features in group]), group)]
    except ValueError:
        return [(features.inputs, [(record, features)]) for record, features in group]


def _has_encoder(deployment: Deployment, sha256: str) -> bool:
    return deployment.model is not None and deployment.model.encoder.sha256 == sha256


async def _turn(idle: Callable[[], Awaitable[None]]) -> None:
    """Wait for a pause of the live flow, but not for ever."""
    try:
        async with asyncio.timeout(TURN_S):
            await idle()
    except TimeoutError:
        pass
