"""The flow of fetch: hundreds of URIs under way, each finishing when it can, a slow one delaying only itself.

A URI is taken when there is a free hand. Local files are read, hashed and transformed in one step by the
crew's threads; everything else is loaded by the event loop first. Finished samples are packed and sent, and
only then acknowledged; out of order, because the ledger commits unbroken runs.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from logging import getLogger
from typing import Any, Self

from siftstream.agents.fetch.crew import Crew
from siftstream.agents.fetch.duplicates import Recent, Twins
from siftstream.agents.fetch.intake import Arrival
from siftstream.agents.fetch.loaders.base import LocalLoader
from siftstream.agents.fetch.loaders.reader import Reader
from siftstream.agents.fetch.loaders.redact import redact
from siftstream.agents.fetch.packing import Packer, Sample, packed
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.agents.fetch.transforms.base import Transform
from siftstream.schemas import DataUri
from siftstream.schemas.arrays import ArraySpec, described
from siftstream.schemas.errors import BadRecord, LoadError, TransformError
from siftstream.streams.record import Outgoing
from siftstream.streams.transport import MAX_RECORD_BYTES
from siftstream.streams.work import Work

WATCH_EVERY_S = 1.0
GATHER_S = 0.003
STEPS = 4  # parts of `in_hand` that are begun at once, so that the next begins while the last ends
log = getLogger(__name__)

Send = Callable[[Work], Awaitable[None]]
Ack = Callable[[Sequence[Any]], Awaitable[None]]
Count = Callable[[str, int], None]


class Item:
    """One URI under way."""

    __slots__ = ("arrival", "data", "event", "loader", "made")

    def __init__(self, arrival: Arrival, event: DataUri) -> None:
        self.arrival, self.event = arrival, event
        self.loader: LocalLoader | None = None  # reads the data in the crew's thread, or
        self.data = b""  # they were loaded before, and
        self.made: asyncio.Future[Any] | None = None  # who loaded them waits for the outcome


class Batch:
    """A micro-batch on its way, and the items that it finishes."""

    __slots__ = ("items", "partition", "samples")

    def __init__(self, partition: int, pairs: Sequence[tuple[Sample, Item]]) -> None:
        self.partition = partition
        self.samples = [sample for sample, _ in pairs]
        self.items = [item for _, item in pairs]


class Flow:
    """Takes URIs, sends features and dead letters, acknowledges."""

    def __init__(
        self,
        settings: FetchSettings,
        transform: Transform,
        reader: Reader,
        partitions: int,
        *,
        send: Send,
        ack: Ack,
        count: Count,
    ) -> None:
        """Args: limits; bytes to arrays; URIs to bytes; of `features`; what writes and returns when it is
        acknowledged; what acknowledges them by their tokens; what counts outcomes by name.
        """
        self._settings, self._transform, self._reader = settings, transform, reader
        self._specs = dict(transform.specs)
        self._send, self._ack, self._count = send, ack, count
        self._packer: Packer[Item] = Packer(settings, partitions, self._full)
        self._twins: Twins[str, Item] = Twins()
        self._passed: Recent[str] = Recent(settings.dedup_horizon)
        self._contents: Recent[bytes] = Recent(settings.dedup_horizon)
        self._loaded: list[Item] = []  # not yet handed to the crew
        self._changed = asyncio.Event()  # a hand was freed
        self._crew: Crew[Item | Batch]
        self._tasks: asyncio.TaskGroup
        self._on_their_way = 0  # samples in batches that left the packer
        self.in_hand = 0  # URIs taken and not done

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Self, None]:
        """Take URIs inside this block; an exception in it drops what is under way: it is read again.

        Raises:
            EmitTimeout: the broker did not acknowledge in time; the worker should end.
        """
        self._crew = Crew(self._settings.decode_threads, self._work, self._heard)
        try:
            async with asyncio.TaskGroup() as self._tasks:
                watch = self._tasks.create_task(self._watch())
                yield self
                self._packer.hurry()
                await self._until(0)
                watch.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self._packer.close()
            self._crew.close()

    async def _until(self, most: int) -> None:
        """Wait until no more than `most` URIs are in hand."""
        while self.in_hand > most:
            self._changed.clear()
            await self._changed.wait()

    async def take(self, arrivals: Sequence[Arrival]) -> None:
        """Begin with what came in, as hands become free."""
        step = max(1, self._settings.in_hand // STEPS)
        for start in range(0, len(arrivals), step):
            part = arrivals[start : start + step]
            await self._until(self._settings.in_hand - len(part))
            self.in_hand += len(part)
            self._begin([item for arrival in part if (item := self._item(arrival))])

    def _item(self, arrival: Arrival) -> Item | None:
        if isinstance(arrival.found, DataUri):
            return Item(arrival, arrival.found)
        self._do(self._refused(arrival, arrival.found.error))
        return None

    def _begin(self, items: Sequence[Item]) -> None:
        new = items if self._settings.dedup == "none" else [item for item in items if self._is_new(item)]
        local: list[Item] = []
        for item in new:
            item.loader = self._reader.local(item.event.uri)
            if item.loader is None:
                self._do(self._remote(item))
            else:
                local.append(item)
        self._crew.submit(local)

    def _is_new(self, item: Item) -> bool:
        """Tell whether the sample is the first of its id; else it is done, or waits for the first."""
        if item.event.sample_id in self._passed:
            self._do(self._close([item], "duplicates"))
            return False
        return self._twins.first(item.event.sample_id, item)

    async def _remote(self, item: Item) -> None:
        outcome: Any
        try:
            async with self._reader.reading(item.event.uri) as data:
                item.data, item.made = data, asyncio.get_running_loop().create_future()
                self._gather(item)
                outcome = await item.made
        except Exception as error:
            outcome = error
        item.data, item.made = b"", None
        self._done([(item, outcome)])

    def _gather(self, item: Item) -> None:
        """Hand loaded items to the crew a few at a time: waking a thread costs more than a small image."""
        self._loaded.append(item)
        if len(self._loaded) == 1:
            asyncio.get_running_loop().call_later(GATHER_S, self._hand_over)

    def _hand_over(self) -> None:
        loaded, self._loaded = self._loaded, []
        self._crew.submit(loaded)

    def _work(self, job: Item | Batch) -> Sample | Outgoing:
        """Do what runs in the crew's threads: samples are made there, and packed, which else would fight
        the making of others for the GIL.
        """
        return packed(job.samples, job.partition) if isinstance(job, Batch) else self._made(job)

    def _made(self, item: Item) -> Sample:
        """Read where that is local, hash and transform."""
        data = item.loader.read(item.event.uri) if item.loader else item.data
        sample = Sample(item.event, self._transform(data), hashlib.sha256(data).digest())
        inputs, specs = sample.inputs, self._specs
        if inputs.keys() != specs.keys() or not all(specs[name].fits(inputs[name]) for name in specs):
            found = {name: ArraySpec(array.shape, array.dtype) for name, array in inputs.items()}
            raise TransformError(
                f"the transform made {described(found) or 'nothing'}, {described(specs)} declared"
            )
        if sample.nbytes > MAX_RECORD_BYTES:
            raise TransformError(
                f"the sample takes {sample.nbytes:,} bytes with its metadata, over the"
                f" {MAX_RECORD_BYTES:,} of a record; make the transform's output smaller"
            )
        return sample

    def _heard(self, bunch: list[tuple[Item | Batch, Any]]) -> None:
        local: list[tuple[Item, Any]] = []
        for job, outcome in bunch:
            if isinstance(job, Batch):
                self._do(self._sent(job, outcome))
            elif job.made is None:
                local.append((job, outcome))
            elif not job.made.done():
                job.made.set_result(outcome)
        self._done(local)

    def _done(self, outcomes: Sequence[tuple[Item, Any]]) -> None:
        good: list[tuple[Sample, Item]] = []
        for item, outcome in outcomes:
            if not isinstance(outcome, Sample):
                self._do(self._failed(item, outcome))
            elif self._settings.dedup == "content" and not self._contents.add(outcome.content):
                self._do(self._finished([item], "duplicates"))
            else:
                good.append((outcome, item))
        self._packer.add(good)
        self._look_for_quiet()

    def _look_for_quiet(self) -> None:
        if self._is_quiet():
            self._packer.quiet(self._is_quiet)

    def _is_quiet(self) -> bool:
        """Tell whether no sample is under way that could join those in the packer."""
        return self.in_hand <= self._packer.waiting + self._on_their_way

    def _full(self, partition: int, batch: list[tuple[Sample, Item]]) -> None:
        self._on_their_way += len(batch)
        self._crew.submit([Batch(partition, batch)], first=True)

    async def _sent(self, batch: Batch, output: Outgoing | Exception) -> None:
        if isinstance(output, Exception):
            raise output
        await self._send(Work([output]))
        self._on_their_way -= len(batch.items)
        await self._finished(batch.items, "passed")

    async def _finished(self, items: Sequence[Item], outcome: str) -> None:
        """The items are done, and so is whoever waited for them."""
        twins: list[Item] = []
        for item in items:
            self._passed.add(item.event.sample_id)
            twins += self._twins.done(item.event.sample_id)
        if twins:
            await self._close(twins, "duplicates")
        await self._close(items, outcome)

    async def _failed(self, item: Item, error: Exception) -> None:
        shown = redact(item.event.uri)
        if not isinstance(error, BadRecord):
            log.error("an unforeseen error on %s", shown, exc_info=error)
        elif not str(error).startswith(shown):
            error.args = (f"{shown}: {error}",)  # a plug-in's error may want other arguments to be made
        waiting = self._twins.done(item.event.sample_id)
        await self._refused(item.arrival, error)
        for twin in waiting:  # each has its own say: the next one tries for itself
            self._begin([twin])

    async def _refused(self, arrival: Arrival, error: Exception) -> None:
        await self._send(Work(refused=[(arrival.record, error)]))
        await self._freed([arrival.token], "refused")

    async def _close(self, items: Sequence[Item], outcome: str) -> None:
        await self._freed([item.arrival.token for item in items], outcome)

    async def _freed(self, tokens: Sequence[Any], outcome: str) -> None:
        await self._ack(tokens)
        self._count(outcome, len(tokens))
        self.in_hand -= len(tokens)
        self._changed.set()
        self._look_for_quiet()

    def _do(self, step: Coroutine[Any, Any, None]) -> None:
        try:
            self._tasks.create_task(step)
        except RuntimeError:  # the flow is ending: what is under way is read again
            step.close()

    async def _watch(self) -> None:
        """Answer for reads and transforms that hang in a thread."""
        limit = self._settings.timeout

        def late() -> Exception:
            return LoadError(f"not read and transformed within {limit:g} s (fetch.timeout)")

        while True:
            await asyncio.sleep(min(WATCH_EVERY_S, limit))
            self._crew.give_up(limit, late)
