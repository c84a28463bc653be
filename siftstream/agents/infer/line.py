"""The line of infer: decoding the next batches, running the model and sending the last results overlap.

Decoding happens in the event loop, the model and the encoding of its answers in threads, as many at once as
there are runs; a result is sent and acknowledged while the next batches run.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Self

from siftstream.agents.infer.batching import Batcher
from siftstream.agents.infer.scoring import score
from siftstream.agents.infer.settings import InferSettings
from siftstream.models.loaded import LoadedModel
from siftstream.schemas import Features
from siftstream.schemas.errors import BadRecord
from siftstream.streams.record import Record
from siftstream.streams.work import Work

AHEAD = 3  # device batches that wait or are being sent, for each run

Send = Callable[[Work], Awaitable[None]]
Ack = Callable[[Sequence[Any]], Awaitable[None]]
Count = Callable[[str, int], None]
Batch = tuple[Record, Any, Features]  # the record, its token, what it holds


class Line:
    """Takes records of `features`, sends scores and dead letters, acknowledges."""

    def __init__(
        self,
        settings: InferSettings,
        runs: int,
        model: Callable[[], LoadedModel],
        *,
        send: Send,
        ack: Ack,
        count: Count,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Args: batch sizes; runs at once; the model of the moment; what writes; what acknowledges records
        by their tokens; what counts samples by outcome; the clock of waiting.
        """
        self._settings, self._runs, self._model = settings, runs, model
        self._send, self._ack, self._count = send, ack, count
        self._batcher: Batcher[Batch] = Batcher(settings.batch, clock)
        self._most = AHEAD * runs * settings.batch.max
        self._changed = asyncio.Condition()
        self._pool: ThreadPoolExecutor
        self._tasks: asyncio.TaskGroup
        self.in_hand = 0  # samples taken and not done

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Self, None]:
        """Take records inside this block; an exception in it drops what is under way: it is read again.

        Raises:
            EmitTimeout: the broker did not acknowledge in time; the worker should end.
        """
        self._pool = ThreadPoolExecutor(self._runs, thread_name_prefix="onnxruntime")
        try:
            async with asyncio.TaskGroup() as self._tasks:
                runners = [self._tasks.create_task(self._runner()) for _ in range(self._runs)]
                yield self
                await self._until(lambda: self.in_hand == 0)
                for runner in runners:
                    runner.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def take(self, records: Sequence[tuple[Record, Any]]) -> None:
        """Let records, each with its token, wait for a run; returns when there is room for them."""
        for record, token in records:
            if self.in_hand >= self._most:
                await self._notify()
                await self._until(lambda: self.in_hand < self._most)
            try:
                features = Features.decode(record.value)
            except BadRecord as error:
                self.in_hand += 1
                self._tasks.create_task(self._finish(Work(refused=[(record, error)]), [token], 1))
                continue
            self.in_hand += len(features)
            self._batcher.add((record, token, features), len(features))
        await self._notify()

    async def _runner(self) -> None:
        """Run device batches one after the other."""
        loop = asyncio.get_running_loop()
        while True:
            batch = await self._next()
            pairs = [(record, features) for record, _, features in batch]
            work = await loop.run_in_executor(self._pool, score, self._model(), pairs)
            tokens, samples = [token for _, token, _ in batch], sum(len(f) for _, f in pairs)
            self._tasks.create_task(self._finish(work, tokens, samples))

    async def _next(self) -> list[Batch]:
        """Wait for a device batch: at once when there is enough, else until the oldest has waited."""
        async with self._changed:
            while (due := self._batcher.due_in()) != 0.0:
                try:
                    async with asyncio.timeout(due):
                        await self._changed.wait()
                except TimeoutError:
                    continue
            return self._batcher.take()

    async def _finish(self, work: Work, tokens: Sequence[Any], samples: int) -> None:
        await self._send(work)
        await self._ack(tokens)
        self._count("refused", len(work.refused))
        self._count("scored", samples - len(work.refused))
        self.in_hand -= samples
        await self._notify()

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(holds)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()
