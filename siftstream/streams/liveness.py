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
            if consumer._n_acked != acked or not records_wait(consumer):
                acked, since = consumer._n_acked, monotonic()
            elif monotonic() - since > limit:
                await app.crash(UnavailableError(f"{app.stage} has made no progress for {limit:g} s"))
                await asyncio.sleep(0)
                return

    return liveness


def records_wait(consumer: Any) -> bool:
    """Tell whether any assigned partition has records that were not handed out and done."""
    if consumer._unacked_messages:
        return True
    for tp in consumer.assignment():
        highwater, read = consumer.highwater(tp), consumer._read_offset[tp]
        if highwater and highwater > (0 if read is None else read):
            return True
    return False
