"""A Faust transport over aiokafka that never commits past unfinished work.

Stock faust-streaming 0.15.3 does (its issue 606). What differs here, all of it guarded by the
contract tests in `tests/streams/test_transport.py`:

* commit = the ledger's position (or the floor, for topics named in `Transport.floors`);
* what Faust skips while a rebalance runs is not done;
* topics named in `Transport.coalesced` are handed out in bunches of records;
* the drain at revoke and stop is bounded; what is left is read again;
* no commit while a rejoin is under way, and a failed commit is made again instead of crashing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Any

from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ack_lock
from mode.utils.futures import notify

from siftstream.streams.coalescing import Bunch, Coalescing
from siftstream.streams.ledger import Floor, Ledger

SCHEME = "siftkafka"
POLL_EVERY_S = 0.01
MAX_BATCH_BYTES = 4 << 20
MAX_REQUEST_BYTES = 8 << 20
FETCH_BYTES = 1 << 20  # of a partition at once; a larger record batch still comes, alone
MAX_RECORD_BYTES = MAX_REQUEST_BYTES - (64 << 10)  # with room for key, headers and framing


class Consumer(driver.Consumer):
    """Commits only what is done."""

    drain_seconds = 8.0  # drain and commit together stay below broker_rebalance_timeout
    commit_seconds = 5.0
    transport: Any  # the Transport below
    _thread: Any  # the ConsumerThread below

    def on_init(self) -> None:
        """Start with empty books."""
        self.ledgers: defaultdict[TP, Ledger] = defaultdict(Ledger)
        self.floors: defaultdict[TP, Floor] = defaultdict(Floor)
        self.commit_metadata: dict[TP, tuple[int, str]] = {}
        self.note = ""  # goes with every commit that has no metadata of its own; <= 4096 bytes
        self.skipped = 0
        self._noted = 0  # progress within messages
        self.scheduler = Coalescing(self.transport.coalesced)
        self._draining = False

    def _new_consumer_thread(self) -> "ConsumerThread":
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def has_floor(self, topic: str) -> bool:
        """Tell whether a topic is committed by floor."""
        return topic in self.transport.floors

    # -- what stages call

    def ack(self, message: Any) -> bool:
        """Note that a message is done (Faust's hook; stages use `stream.ack`)."""
        with ack_lock:
            if message.acked:
                return False
            if not message.tracked:  # Faust acks what it skips while the flow is suspended
                self.skipped += 1
                return False
            message.acked = True
            self._unacked_messages.discard(message)
            if not self.has_floor(message.tp.topic):
                self.ledgers[message.tp].ack(message.offset)
            self._n_acked += 1
            notify(self._waiting_for_ack)
            return True

    def forget(self, message: Any) -> None:
        """Drop a message of an older generation: its partition's reading has begun anew."""
        self._unacked_messages.discard(message)
        notify(self._waiting_for_ack)

    def advance_floor(self, tp: TP, offset: int, metadata: str) -> None:
        """Let the group's commit of `tp` be `offset`, with `metadata` (<= 4096 bytes) beside it."""
        self.floors[tp].advance(offset, metadata)

    async def committed(self, tp: TP) -> tuple[int | None, str]:
        """Return offset and metadata of the group's last commit as the broker has it."""
        return await self._thread.call_thread(self._thread.committed, tp)

    def note_progress(self) -> None:
        """Note that something was done of a message whose work takes long."""
        self._noted += 1

    @property
    def progress(self) -> int:
        """How many messages, and noted parts of long ones, were done since the start."""
        return self._n_acked + self._noted

    def records_wait(self) -> bool:
        """Tell whether any assigned partition has records that were not handed out and done."""
        if self._unacked_messages:
            return True
        return any(not self.ledgers[tp].settled or self._thread.behind(tp) for tp in self.assignment())

    # -- bookkeeping

    def _to_message(self, tp: Any, record: Any) -> Any:
        ours = driver.TP(*tp)
        last = record.records[-1] if isinstance(record, Bunch) else record
        read = self._read_offset[ours]
        is_new = read is None or last.offset >= read
        if is_new and self.app.topics.acks_enabled_for(ours.topic) and not self.has_floor(ours.topic):
            self.ledgers[ours].deliver(last.offset)
        message: Any = super()._to_message(tp, last)
        if isinstance(record, Bunch):
            message.records = record.records
        return message

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """The ledger needs no gaps."""

    async def perform_seek(self) -> None:
        """Go back to the commits: all that is not committed is read again."""
        self._clear_books()  # no commit of an old reading from here on,
        await super().perform_seek()
        self._clear_books()  # and nothing that was handed out before the seek took effect

    def _clear_books(self) -> None:
        self.ledgers.clear()
        self.floors.clear()

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        known = {*self.ledgers, *self.floors}
        return (tp for tp in known if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        if not self.has_floor(tp.topic):
            return self.ledgers[tp].position
        floor = self.floors[tp]
        if floor.position is not None:  # one snapshot, so that offset and metadata stay a pair
            self.commit_metadata[tp] = (floor.position, floor.metadata)
        return floor.position

    def _should_commit(self, tp: TP, offset: int) -> bool:
        if self.has_floor(tp.topic):  # the metadata may have moved while the floor stood still
            return self.commit_metadata.get(tp) != self._thread.commits.get(tp)
        return super()._should_commit(tp, offset) or self._is_news(tp, offset)

    def _is_news(self, tp: TP, offset: int) -> bool:
        """Tell whether the note alone moved since this worker's last commit of the same offset."""
        last = self._thread.commits.get(tp)
        return last is not None and last[0] == offset and last[1] != self.note

    def commit_pair(self, tp: TP, offset: int) -> tuple[int, str]:
        """Return offset and metadata to commit together (called in the consumer's thread)."""
        return self.commit_metadata.get(tp, (offset, self.note))

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        before = {tp: self._committed_offset[tp] for tp in offsets}
        made = await super()._commit_offsets(offsets, start_new_transaction)
        if not made:  # stock records a failed commit as made
            self._committed_offset.update(before)
        return made

    # -- rebalance and stop

    async def wait_empty(self) -> None:
        """Wait, not for ever, until what was handed out is done; then commit."""
        deadline = monotonic() + self.drain_seconds
        self._draining = True
        try:
            while self._unacked_messages and monotonic() < deadline and not self.should_stop:
                await self._wait_for_ack(timeout=1)
                self._clean_unacked_messages()
            await self._commit_soon()
        finally:
            self._draining = False

    async def _commit_soon(self) -> None:
        commit = asyncio.ensure_future(self.commit_and_end_transactions())
        await asyncio.wait({commit}, timeout=self.commit_seconds)
        if commit.done():
            commit.result()
        else:  # the broker is away; not awaited, because Faust swallows the cancellation of a commit
            commit.cancel()
            self.log.warning("no commit within %g s: the rest is read again", self.commit_seconds)

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit what is done; not during a rejoin, which a commit would start once more."""
        if self.app.rebalancing and not self._draining:
            return False
        return await super().commit(topics, start_new_transaction)


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Commits with metadata; a commit that fails is made again later."""

    consumer: Any  # the Consumer above

    def __post_init__(self) -> None:
        """Start with no commit made."""
        super().__post_init__()
        self.commits: dict[TP, tuple[int, str]] = {}  # the last of each partition
        self._polled = 0.0  # when records were last taken

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: Any,
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> Any:
        """Take what the broker sent, after a pause if that was done just now.

        Each taking lets aiokafka ask the broker for more at once: a steady stream of small records would
        cost a request for every few of them. The first record after a quiet time does not wait.
        """
        pause = self._polled + POLL_EVERY_S - monotonic()
        if pause > 0:
            await asyncio.sleep(pause)
        records = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        if records:
            self._polled = monotonic()
        return records

    async def committed(self, tp: TP) -> tuple[int | None, str]:
        """Return offset and metadata of the group's last commit as the broker has it."""
        where = driver.ensure_aiokafka_TP(tp)
        consumer: Any = self._ensure_consumer()
        found = (await consumer._coordinator.fetch_committed_offsets([where])).get(where)
        if found is None or found.offset < 0:
            return None, ""
        return found.offset, found.metadata or ""

    def behind(self, tp: TP) -> bool:
        """Tell whether the partition has records that were not fetched."""
        consumer: Any = self._ensure_consumer()
        subscription = consumer._subscription.subscription
        assignment = subscription and subscription.assignment
        where = driver.ensure_aiokafka_TP(tp)
        if not assignment or where not in assignment.tps:
            return False
        state = assignment.state_value(where)
        return bool(state.highwater and state.has_valid_position and state.highwater > state.position)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        ours = self.assignment()
        pairs = {tp: self.consumer.commit_pair(tp, offset) for tp, offset in offsets.items() if tp in ours}
        if not pairs:
            return False
        try:
            await self._ensure_consumer().commit(
                {driver.ensure_aiokafka_TP(tp): OffsetAndMetadata(*pair) for tp, pair in pairs.items()}
            )
        except (IllegalStateError, KafkaError) as error:
            # not ours any more, the broker is away, the generation is over: read again or commit again
            self.log.warning("commit not made: %r", error)
            return False
        self.commits.update(pairs)
        self.tp_last_committed_at.update(dict.fromkeys(pairs, monotonic()))
        return True


class Producer(driver.Producer):
    """Idempotent, acknowledged by all in-sync replicas, and able to send whole record batches."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {**super()._settings_extra(), "acks": "all", "enable_idempotence": True}

    @property
    def batches(self) -> Any:
        """The aiokafka producer below, for record batches."""
        return self._ensure_producer()


class Transport(driver.Transport):
    """The transport behind `siftkafka://` addresses."""

    Consumer = Consumer
    Producer = Producer
    floors: frozenset[str] = frozenset()  # topics committed by floor
    coalesced: frozenset[str] = frozenset()  # topics whose records come in bunches


TRANSPORTS.aliases[SCHEME] = "siftstream.streams.transport:Transport"
