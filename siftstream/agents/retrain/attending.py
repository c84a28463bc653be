"""A run under way: its course, what is told of it meanwhile, and whatever may stop it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from time import time
from typing import Any, Final

from siftstream.schemas import ModelVersion, Progress, RunState, TrainingRun

EVERY_S: Final = 1.0  # progress is told at most so often
BEATS: Final = 4  # words a lease at least: one may be late, and nobody takes the run over

Told = Callable[[Progress], None]


class Telling:
    """Tells how a run goes on: news at most once a second, and the last news again in silence."""

    def __init__(
        self, run: TrainingRun, tell: Callable[[TrainingRun], Awaitable[None]], lease: float
    ) -> None:
        """Args: the run, as claimed; writes one record; seconds of silence that count as given up."""
        self._run = run
        self._tell = tell
        self._beat = lease / BEATS
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._progress: Progress | None = None

    def told(self, progress: Progress) -> None:
        """Hear how far it is; from any thread, as often as one likes."""
        self._progress = progress
        with suppress(RuntimeError):  # a thread may outlive the loop
            self._loop.call_soon_threadsafe(self._news.set)

    async def keep_on(self) -> None:
        """Tell it for ever, once at the beginning."""
        while True:
            self._news.clear()
            update = {"state": RunState.RUNNING, "progress": self._progress, "told_at": time()}
            await self._tell(self._run.model_copy(update=update))
            await asyncio.sleep(min(EVERY_S, self._beat))
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._beat - EVERY_S)):
                    await self._news.wait()


async def attended(
    course: Coroutine[Any, Any, ModelVersion],
    telling: Coroutine[Any, Any, None],
    stopping: Coroutine[Any, Any, str],
) -> ModelVersion | str:
    """Run a course to its end, or until it is to be stopped; then its child is gone and its folder too.

    Args:
        course: Gives the version.
        telling: Tells of it for ever.
        stopping: Ends when the course is to be stopped, with the reason in a sentence.

    Returns:
        The version, or the reason.
    """
    at_work, stop = asyncio.ensure_future(course), asyncio.ensure_future(stopping)
    heart = asyncio.ensure_future(telling)
    tasks: list[asyncio.Task[Any]] = [at_work, heart, stop]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if heart.done():
            heart.result()  # what it raises ends the trainer
        return at_work.result() if at_work.done() else stop.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
