"""A consumer of the safe transport without a broker, and messages as Faust hands them out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import faust
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from siftstream.streams import transport

PLAIN = TP("plain", 0)
FLOOR = TP("floor", 0)


def close(made: Any) -> None:
    """Close the loop that Faust made for the consumer's thread, which never ran."""
    made._thread.thread_loop.close()


class Raw:
    """A record as aiokafka's fetcher returns it."""

    def __init__(self, tp: TP, offset: int) -> None:
        self.topic, self.partition = tp
        self.offset = offset
        self.timestamp, self.timestamp_type, self.headers = 0, 0, ()
        self.key, self.value, self.checksum = None, b"", None
        self.serialized_key_size = self.serialized_value_size = 0


def consumer(folder: Path, scheme: str = transport.SCHEME) -> Any:
    """Return a consumer that was never started; all its partitions are assigned to it."""
    app = faust.App(
        "parts", broker=f"{scheme}://127.0.0.1:1", datadir=folder,
        topic_disable_leader=True, web_enabled=False,
    )  # fmt: skip
    app.topics._acking_topics |= {PLAIN.topic, FLOOR.topic}
    if scheme == transport.SCHEME:
        app.transport.floors = frozenset({FLOOR.topic})
    made: Any = app.transport.create_consumer(
        callback=AsyncMock(), on_partitions_revoked=AsyncMock(), on_partitions_assigned=AsyncMock()
    )
    app.consumer = made
    app.producer.flush = AsyncMock()
    made.assignment = lambda: {PLAIN, FLOOR}
    return made


def delivered(
    where: Any, offsets: Iterable[int], tp: TP = PLAIN, *, tracked: bool = True
) -> list[ConsumerMessage]:
    """Hand out messages as the drain loop and a stream do; untracked: no stream took them."""
    messages = []
    for offset in offsets:
        message = where._to_message(tp, Raw(tp, offset))
        where._read_offset[tp] = offset
        message.refcount = 1
        if tracked:
            message.tracked = True
            where.track_message(message)
        messages.append(message)
    return messages


def committable(where: Any) -> dict[TP, int]:
    """Return what the consumer would commit now."""
    return where._filter_committable_offsets(list(where._filter_tps_with_pending_acks()))
