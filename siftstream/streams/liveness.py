"""A worker that has records waiting and makes no progress ends itself: a restart resumes."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from siftstream.schemas.errors import UnavailableError

LOOK_EVERY = 5.0  # seconds


def watch(app: Any, limit: float) -> Callable[[], Awaitable[None]]:
    """Return the task that crashes `app` after `limit` seconds without progress while records wait."""

    async def liveness() -> None:
        acked, since = -1, monotonic()
        while not app.should_stop:
            await app.sleep(min(LOOK_EVERY, limit / 2))
            consumer = app.consumer
            if consumer.progress != acked or not consumer.records_wait():
                acked, since = consumer.progress, monotonic()
            elif monotonic() - since > limit:
                await app.crash(UnavailableError(f"{app.stage} has made no progress for {limit:g} s"))
                await asyncio.sleep(0)
                return

    return liveness
