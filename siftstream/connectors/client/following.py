"""What becomes of pushed samples: scores and dead letters are read from where they ended before the push."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager

import pyarrow as pa

from siftstream.connectors.client.connection import Connection, Places, Tail
from siftstream.connectors.client.passage import Passage
from siftstream.connectors.client.pushed import Pushed
from siftstream.schemas import DataUri, Features, Scores
from siftstream.schemas.bulk import decode_many
from siftstream.schemas.errors import SchemaError
from siftstream.streams.dead_letters import PREFIX, TOPIC
from siftstream.streams.partition import partitions_of_ids
from siftstream.streams.record import Record

log = logging.getLogger(__name__)
LOOK_EVERY_S = 0.5
_IDS_ALONE = pa.ipc.IpcReadOptions(included_fields=[0])


class Following:
    """Knows which pushes wait for which samples, and reads on when somebody wants to know."""

    def __init__(self, connection: Connection) -> None:
        """Args: the cluster."""
        self._connection = connection
        self._places: Places = {}
        self._waiting: defaultdict[str, list[Pushed]] = defaultdict(list)
        self._untold: list[Pushed] = []  # where something was refused
        self._pushing = 0
        self._reading = asyncio.Lock()
        self._after: dict[int, int] = {}
        self._sent: dict[int, int] = {}

    @property
    def after(self) -> Mapping[int, int]:
        """By partition the last offset in `scores` at which a pushed sample was seen."""
        return self._after

    @property
    def unsettled(self) -> list[Pushed]:
        """The pushes that wait for something."""
        return list({id(push): push for pushes in self._waiting.values() for push in pushes}.values())

    @asynccontextmanager
    async def pushing(self) -> AsyncGenerator[None]:
        """Around a push: reading begins at the latest where scores and dead letters end before it."""
        async with self._reading:
            if not self._waiting and not self._pushing:
                self._places = await self._connection.ends(Scores.topic) | await self._connection.ends(TOPIC)
            self._pushing += 1
        try:
            yield
        finally:
            self._pushing -= 1

    def expect(self, push: Pushed, ids: Iterable[str]) -> None:
        """Wait for samples of a push, which are about to be sent."""
        for sample_id in ids:
            if push not in self._waiting[sample_id]:
                self._waiting[sample_id].append(push)

    def sent(self, behind: Mapping[int, int]) -> None:
        """Note that events are in `data-uris`: by partition the offset after the last one."""
        for partition, offset in behind.items():
            self._sent[partition] = max(offset, self._sent.get(partition, 0))

    def forget(self, push: Pushed) -> None:
        """Wait no more for what this push waits for."""
        for sample_id in push.waiting:
            pushes = self._waiting.pop(sample_id, [])
            if others := [other for other in pushes if other is not push]:
                self._waiting[sample_id] = others

    async def settle(self, pushes: Iterable[Pushed], deadline: float) -> None:
        """Read on until it is known what became of these pushes, or until the loop's time `deadline`.

        Raises:
            UnavailableError: the cluster does not answer.
        """
        pushes = [push for push in pushes if push.waiting]
        if not pushes:
            return
        now = asyncio.get_running_loop().time
        async with self._reading, Tail(self._connection, self._places_of(pushes)) as tail:
            passage = Passage(self._connection, self._sent)
            while any(push.waiting for push in pushes) and (left := deadline - now()) > 0:
                for record in await tail.more(min(left, LOOK_EVERY_S)):
                    self._fold(record)
                self._places.update(tail.places)
                if any(push.waiting for push in pushes) and await passage.over(tail.places):
                    self._repeated(pushes)
            self._tell()

    def _places_of(self, pushes: Iterable[Pushed]) -> Places:
        ids = [sample_id for push in pushes for sample_id in push.waiting]
        homes = set(partitions_of_ids(ids, self._connection.partitions))
        return {place: offset for place, offset in self._places.items() if place.partition in homes}

    def _fold(self, record: Record) -> None:
        try:
            if record.topic == self._connection.topic(Scores.topic):
                for sample_id in ids_of(record.value):
                    if sample_id in self._waiting:
                        self._after[record.partition] = record.offset
                        for push in self._waiting.pop(sample_id):
                            push.waiting.discard(sample_id)
                return
            for sample_id in self._dead(record):
                reason = record.header(f"{PREFIX}message") or "no reason is given"
                for push in self._waiting.pop(sample_id, ()):
                    push.refuse(sample_id, reason)
                    self._untold.append(push)
        except SchemaError:
            return  # of somebody else: what we push can be read

    def _tell(self) -> None:
        for push in {id(push): push for push in self._untold}.values():
            log.warning("push: %s", push.told)
        self._untold.clear()

    def _dead(self, record: Record) -> list[str]:
        topic = record.header(f"{PREFIX}topic")
        if topic == self._connection.topic(DataUri.topic):
            return [found.sample_id for found in decode_many(record.value) if isinstance(found, DataUri)]
        return ids_of(record.value) if topic == self._connection.topic(Features.topic) else []

    def _repeated(self, pushes: Iterable[Pushed]) -> None:
        for push in pushes:
            self.forget(push)
            push.repeat()


def ids_of(value: bytes | None) -> list[str]:
    """Return the sample ids of a micro-batch, without reading its tensors.

    Raises:
        SchemaError: it is none.
    """
    try:
        with pa.ipc.open_stream(value or b"", options=_IDS_ALONE) as reader:
            return reader.read_next_batch().column("sample_id").to_pylist()
    except (pa.ArrowException, KeyError, OSError, StopIteration) as error:
        raise SchemaError(f"not a readable micro-batch: {error}") from error
