"""The flow of infer: decoding the next batches, running the model and sending the last results overlap.

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
from siftstream.agents.infer.routing import Routes
from siftstream.agents.infer.scoring import Batch, score
from siftstream.agents.infer.settings import InferSettings
from siftstream.schemas import Features
from siftstream.schemas.errors import BadRecord
from siftstream.streams.record import Record
from siftstream.streams.work import Work

AHEAD = 3  # device batches that wait or are being sent, for each run

Send = Callable[[Work], Awaitable[None]]
Ack = Callable[[Sequence[Any]], Awaitable[None]]
Count = Callable[[str, int], None]
Done = Callable[[Sequence[Batch], Work], None]


class Flow:
    """Takes records of `features`, sends scores and dead letters, acknowledges."""

    def __init__(
        self,
        settings: InferSettings,
        runs: int,
        routes: Routes,
        *,
        send: Send,
        ack: Ack,
        count: Count,
        done: Done = lambda _, __: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Args: batch sizes; runs at once; which model scores which sample; what writes; what acknowledges
        records by their tokens; what counts samples by outcome; what hears of each device batch when it is
        sent and acknowledged; the clock of waiting.
        """
        self._settings, self._runs, self._routes = settings, runs, routes
        self._send, self._ack, self._count, self._done = send, ack, count, done
        self._batcher: Batcher[tuple[Batch, Any]] = Batcher(settings.batch, clock)  # with its token
        self._most = AHEAD * runs * settings.batch.max
        self._changed = asyncio.Condition()
        self._pool: ThreadPoolExecutor
        self._tasks: asyncio.TaskGroup
        self._free = 0  # runs that wait for a batch
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
                self._tasks.create_task(self._finish(Work(refused=[(record, error)]), [token], []))
                continue
            self.in_hand += len(features)
            self._batcher.add(((record, features), token), len(features))
        await self._notify()

    async def idle(self) -> None:
        """Wait until a run is free and nothing is due for it."""
        await self._until(lambda: self._free > 0 and self._batcher.due_in() != 0.0)

    async def _runner(self) -> None:
        """Run device batches one after the other."""
        loop = asyncio.get_running_loop()
        while True:
            taken = await self._next()
            batches = [batch for batch, _ in taken]
            work = await loop.run_in_executor(self._pool, score, self._routes, batches)
            self._tasks.create_task(self._finish(work, [token for _, token in taken], batches))

    async def _next(self) -> list[tuple[Batch, Any]]:
        """Wait for a device batch: it comes when there is enough, nothing runs, or the oldest has waited."""
        async with self._changed:
            self._free += 1
            try:
                while (due := self._batcher.due_in(idle=self._free == self._runs)) != 0.0:
                    try:
                        async with asyncio.timeout(due):
                            await self._changed.wait()
                    except TimeoutError:
                        continue
            finally:
                self._free -= 1
            return self._batcher.take()

    async def _finish(self, work: Work, tokens: Sequence[Any], batches: Sequence[Batch]) -> None:
        await self._send(work)
        await self._ack(tokens)
        samples = sum(len(features) for _, features in batches) or 1  # a record that could not be read is one
        self._count("refused", len(work.refused))
        self._count("scored", samples - len(work.refused))
        self._done(batches, work)
        self.in_hand -= samples
        await self._notify()

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(holds)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()
