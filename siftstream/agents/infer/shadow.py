"""A line of models that only listens: it judges what was scored, in free moments, for the record."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from logging import getLogger
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.infer.deployment import Deployment
from siftstream.agents.infer.part import Part
from siftstream.agents.infer.routing import taken_by
from siftstream.agents.infer.scoring import Batch
from siftstream.agents.infer.settings import LineSettings
from siftstream.schemas import Scores, Shadow
from siftstream.schemas.arrays import joined
from siftstream.streams.record import Outgoing
from siftstream.streams.work import Work

TOLD_FROM: Final = 1024  # compared samples; then at twice as many, and so on
log = getLogger(__name__)
Job: TypeAlias = tuple[Sequence[Batch], Work]  # a device batch, and what the other lines made of it
Count: TypeAlias = Callable[[str, float], None]


@dataclass(frozen=True)
class Heard:
    """What came of one device batch: records to write, and how far the line agrees with the main one."""

    outputs: Sequence[Outgoing]
    samples: int = 0
    failed: int = 0  # samples that the line could not judge
    compared: int = 0  # samples that the main line scored too
    agreed: int = 0  # of them, with the same likeliest class
    difference: float = 0.0  # sum over them of the mean absolute difference of probabilities


class ShadowLine:
    """Judges its share of what was scored.

    It never delays, fails or refuses anything: what it has no time for is dropped, and counted.
    """

    def __init__(
        self, settings: LineSettings, deployment: Deployment, main: str, *, most: int, count: Count
    ) -> None:
        """Args: which line and share; its model; the name of the line that it is compared with; samples
        that wait at most; what counts, by name.
        """
        self._settings, self._deployment, self._main = settings, deployment, main
        self._most, self._count = most, count
        self._waiting: deque[Job] = deque()
        self._samples = 0  # that wait
        self._arrived = asyncio.Event()
        self._compared = self._agreed = 0
        self._told_at, self._dropping = TOLD_FROM, False

    def offer(self, batches: Sequence[Batch], scored: Work) -> None:
        """Let a device batch that is done wait for a free moment; dropped where too much waits already."""
        if self._deployment.model is None:
            return
        samples = sum(len(features) for _, features in batches)
        if self._samples + samples > self._most:
            self._count("dropped", samples)
            if not self._dropping:
                log.warning("shadow %s cannot keep up and passes over samples", self._settings.line)
            self._dropping = True
            return
        self._waiting.append((batches, scored))
        self._samples += samples
        self._arrived.set()

    async def listen(
        self, idle: Callable[[], Awaitable[None]], send: Callable[[Sequence[Outgoing]], Awaitable[None]]
    ) -> None:
        """Judge and record for ever.

        Args:
            idle: Waits until the main line leaves something to run on.
            send: Writes records.
        """
        while True:
            await self._arrived.wait()
            await idle()
            batches, scored = self._waiting.popleft()
            if not self._waiting:
                self._arrived.clear()
                self._dropping = False
            try:
                heard = await asyncio.to_thread(self.hear, batches, scored)
                await send(heard.outputs)
                self._tell(heard)
            except Exception as error:  # whatever it is: the stream is none the worse
                self._count("failed", sum(len(features) for _, features in batches))
                log.warning("shadow %s passes over a batch: %s", self._settings.line, error)
            finally:
                self._samples -= sum(len(features) for _, features in batches)

    def hear(self, batches: Sequence[Batch], scored: Work) -> Heard:
        """Judge this line's share of a device batch, and compare it with what the main line said."""
        inputs = joined([features.inputs for _, features in batches])
        names = [name for _, features in batches for name in features.sample_ids]
        which = np.flatnonzero(taken_by(self._settings.line, self._settings.share, names))
        if not len(which):
            return Heard(())
        said, start, work = self._deployment.judge(inputs, which), 0, Work()
        for record, features in batches:
            work += Part(self._settings.line, said, record, features, start).work(Shadow)
            start += len(features)
        mine = dict(zip([names[row] for row in said.good.tolist()], said.probs_BMC.mean(axis=1), strict=True))
        theirs = _probabilities(scored, self._main)
        both = [name for name in mine if name in theirs]
        ours_BC, theirs_BC = (
            np.array([of[name] for name in both], np.float32).reshape(len(both), said.model.head.classes)
            for of in (mine, theirs)
        )
        return Heard(
            work.outputs, len(said.good), len(work.refused), len(both),
            int((ours_BC.argmax(axis=1) == theirs_BC.argmax(axis=1)).sum()),
            float(np.abs(ours_BC - theirs_BC).mean(axis=1).sum()),
        )  # fmt: skip

    def _tell(self, heard: Heard) -> None:
        for name in ("samples", "failed", "compared", "agreed", "difference"):
            self._count(name, getattr(heard, name))
        self._compared += heard.compared
        self._agreed += heard.agreed
        if self._compared >= self._told_at:
            self._told_at = 2 * self._compared
            line, percent = self._settings.line, 100 * self._agreed / self._compared
            log.info("shadow %s agrees on %.1f %% of %d samples", line, percent, self._compared)


def _probabilities(scored: Work, line: str) -> dict[str, NDArray[Any]]:
    """Return what a line said by sample, the mean of its members [C]."""
    found: dict[str, NDArray[Any]] = {}
    for output in scored.outputs:
        batch = Scores.decode(output.value)
        if batch.line == line:
            found |= zip(batch.sample_ids, batch.probs.mean(axis=1), strict=True)
    return found
