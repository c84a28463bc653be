"""Whether what was pushed has gone through: the groups' commits tell it also of what left no trace.

Fetch passes over an id that it has seen, so a repeated sample is neither scored nor dead. But fetch commits
a record only when all that came of it is in `features`, and infer commits that only when it is in `scores`.
"""

import asyncio
from collections.abc import Mapping

from aiokafka import TopicPartition

from siftstream.connectors.client.connection import Connection, Places
from siftstream.schemas import DataUri, Features, Scores
from siftstream.schemas.errors import ConfigError, UnavailableError
from siftstream.streams.dead_letters import TOPIC as DEAD_LETTERS

LOOK_EVERY_S = 1.0


class Passage:
    """Follows some places of `data-uris` through fetch and infer."""

    def __init__(self, connection: Connection, sent: Mapping[int, int]) -> None:
        """Args: the cluster; by partition of `data-uris` the offset after what was pushed."""
        self._connection = connection
        self._sent = dict(sent)
        self._features: Places | None = None  # what infer must have read
        self._ends: Places | None = None  # what must have been read of scores and dead letters
        self._next = 0.0

    async def over(self, read: Mapping[TopicPartition, int]) -> bool:
        """Tell whether all came through, and `read` (the offsets to be read next) is beyond it.

        Asks the cluster once a second; where it may not ask, the answer stays no.
        """
        if self._ends is None:
            if asyncio.get_running_loop().time() < self._next:
                return False
            try:
                await self._look()
            except (ConfigError, UnavailableError):
                pass
            self._next = asyncio.get_running_loop().time() + LOOK_EVERY_S
        return self._ends is not None and all(
            offset >= self._ends.get(place, 0) for place, offset in read.items()
        )

    async def _look(self) -> None:
        if self._features is None:
            topic = self._connection.topic(DataUri.topic)
            sent = {TopicPartition(topic, partition): offset for partition, offset in self._sent.items()}
            if await self._behind("fetch", sent):
                return
            ends = await self._connection.ends(Features.topic)
            self._features = {p: end for p, end in ends.items() if end and p.partition in self._sent}
        if not await self._behind("infer", self._features):
            self._ends = await self._connection.ends(Scores.topic) | await self._connection.ends(DEAD_LETTERS)

    async def _behind(self, stage: str, wanted: Places) -> bool:
        """Tell whether a stage has still to commit some of these offsets."""
        if not wanted:
            return False
        done = await self._connection.committed(stage, wanted)
        return any(done.get(place, -1) < offset for place, offset in wanted.items())
