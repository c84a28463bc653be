"""The local Kafka of `up` and `demo`: started where no cluster is configured, announced, stopped in time."""

import asyncio
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from time import monotonic

from siftstream.cli.cluster import announced, on_cluster, refuse_second
from siftstream.schemas.errors import BrokerError
from siftstream.settings import Settings
from siftstream.streams.broker import LocalBroker

STOP_WITHIN_S = 3.5
LOOK_EVERY_S = 0.5
RESTARTS, RESTARTS_WITHIN_S = 3, 60.0


@contextmanager
def local_kafka(
    settings: Settings, tell: Callable[[str], None], *, always: bool = False
) -> Generator[tuple[Settings, LocalBroker | None]]:
    """Give the configuration with a cluster in it, and the broker if one was started for it.

    Args:
        settings: The configuration; a cluster named there is used as it is (unless `always`).
        tell: Hears what the first start takes seconds for.
        always: Start a local broker even where a cluster is named.

    Raises:
        BrokerError: it cannot start.
        ConfigError: one runs already for this state folder.
    """
    if settings.kafka.servers and not always:
        yield settings, None
        return
    refuse_second(settings)
    state = settings.state.absolute()
    broker = LocalBroker(state / "kafka", log=state / "logs" / "broker.log", tell=tell)
    try:
        broker.start()
        with announced(settings, broker.bootstrap):
            yield on_cluster(settings, broker.bootstrap), broker
    finally:
        stop_in_time(broker)


def stop_in_time(broker: LocalBroker) -> None:
    """Stop the broker in order; kill it when it takes longer than the bound."""
    if not broker.alive:
        return
    last = threading.Timer(STOP_WITHIN_S, os.kill, (broker.pid, signal.SIGKILL))
    last.daemon = True
    last.start()
    try:
        broker.stop()
    finally:
        last.cancel()


async def keep_alive(broker: LocalBroker | None, tell: Callable[[str], None]) -> None:
    """Restart the broker on its data and port when it dies; runs until cancelled.

    Raises:
        BrokerError: it does not start again, or dies again and again.
    """
    ends: deque[float] = deque(maxlen=RESTARTS)
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        if broker is None or broker.alive:
            continue
        why = broker.failure()
        ends.append(monotonic())
        if len(ends) == RESTARTS and ends[-1] - ends[0] < RESTARTS_WITHIN_S:
            raise BrokerError(f"{why}; it has ended {RESTARTS} times within a minute")
        tell(f"{why}; it starts again")
        await asyncio.to_thread(broker.restart)
