"""The contract between transport.py and the private parts of Faust 0.15.3 that it overrides."""

from __future__ import annotations

import asyncio
import inspect
from importlib.metadata import version
from typing import Any
from unittest.mock import AsyncMock

import pytest
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaConnectionError
from faust.transport import consumer as faust_consumer
from faust.transport.drivers import aiokafka as driver

from siftstream.streams import transport
from siftstream.streams.coalescing import Coalescing, records_of
from tests.streams.faust_parts import FLOOR, PLAIN, Raw, committable, delivered


def test_the_versions_are_the_ones_this_contract_was_written_for() -> None:
    assert version("faust-streaming") == "0.15.3"
    assert version("aiokafka").startswith("0.14.")


@pytest.mark.parametrize("first", [0, 10])
async def test_a_head_that_is_not_done_blocks_the_commit(safe: Any, first: int) -> None:
    safe._committed_offset[PLAIN] = first or None
    head, *rest = delivered(safe, range(first, first + 4))
    for message in rest:
        message.ack(safe)
    assert committable(safe) == {}
    head.ack(safe)
    assert committable(safe) == {PLAIN: first + 4}


async def test_stock_faust_commits_past_a_head_that_is_not_done(stock: Any) -> None:
    for message in delivered(stock, range(4))[1:]:
        message.ack(stock)
    assert committable(stock) == {PLAIN: 4}, "fixed upstream? then this transport may be dropped"


async def test_holes_in_the_log_never_block(safe: Any) -> None:
    for message in delivered(safe, [3, 7, 8, 20])[:3]:
        message.ack(safe)
    await safe._add_gap(PLAIN, 9, 19)
    assert committable(safe) == {PLAIN: 9}


async def test_a_bunch_is_one_message_at_its_last_place_and_done_as_a_whole(safe: Any) -> None:
    safe.scheduler = Coalescing({PLAIN.topic})
    found = {PLAIN: [Raw(PLAIN, offset) for offset in range(300)], FLOOR: [Raw(FLOOR, 7)]}
    messages = [safe._to_message(tp, record) for tp, record in safe.scheduler.iterate(found)]
    plain = [message for message in messages if message.tp == PLAIN]
    assert [message.offset for message in plain] == [127, 255, 299]
    assert [len(records_of(message)) for message in messages if message.tp == FLOOR] == [1]
    assert [record.offset for message in plain for record in records_of(message)] == list(range(300))
    for message in plain:
        message.refcount, message.tracked = 1, True
    for message in plain[1:]:
        message.ack(safe)
    assert committable(safe) == {}
    plain[0].ack(safe)
    assert committable(safe) == {PLAIN: 300}


async def test_the_consumer_bunches_only_what_its_transport_names(safe: Any) -> None:
    assert isinstance(safe.scheduler, Coalescing)
    found = {PLAIN: [Raw(PLAIN, offset) for offset in range(3)]}
    assert [record.offset for _, record in safe.scheduler.iterate(found)] == [0, 1, 2]


async def test_what_faust_skips_is_not_done(safe: Any) -> None:
    (skipped,) = delivered(safe, [5], tracked=False)
    skipped.ack(safe)
    assert (committable(safe), safe.skipped, skipped.acked) == ({}, 1, False)


async def test_a_message_is_done_when_its_last_reader_acknowledged_it(safe: Any) -> None:
    (message,) = delivered(safe, [0])
    message.incref()
    assert not message.ack(safe)
    assert set(safe.unacked) == {message}
    assert message.ack(safe)
    assert (safe.progress, len(safe.unacked)) == (1, 0)
    assert not message.ack(safe)
    assert safe.progress == 1


async def test_a_commit_is_not_made_twice(safe: Any) -> None:
    for message in delivered(safe, range(3)):
        message.ack(safe)
    safe._commit = AsyncMock(return_value=True)
    assert await safe.commit()
    assert not await safe.commit()
    safe._commit.assert_awaited_once_with({PLAIN: 3})


async def test_a_failed_commit_is_made_again(safe: Any) -> None:
    for message in delivered(safe, range(3)):
        message.ack(safe)
    safe._commit = AsyncMock(return_value=False)
    assert not await safe.commit()
    safe._commit = AsyncMock(return_value=True)
    assert await safe.commit()
    safe._commit.assert_awaited_once_with({PLAIN: 3})


async def test_acknowledgements_do_not_move_a_partition_that_is_committed_by_floor(safe: Any) -> None:
    for message in delivered(safe, range(9), FLOOR):
        message.ack(safe)
    assert (committable(safe), len(safe.unacked)) == ({}, 0)


async def test_a_floor_never_falls(safe: Any) -> None:
    safe.advance_floor(FLOOR, 4, "four")
    safe.advance_floor(FLOOR, 2, "two")
    assert committable(safe) == {FLOOR: 4}
    assert safe.commit_pair(FLOOR, 4) == (4, "four")


async def test_no_commit_while_the_group_rebalances(safe: Any) -> None:
    for message in delivered(safe, range(3)):
        message.ack(safe)
    safe._commit = AsyncMock(return_value=True)
    safe.app.rebalancing = True
    assert not await safe.commit()
    safe._commit.assert_not_awaited()
    await safe.wait_empty()  # at the revoke itself the partitions are still ours
    safe._commit.assert_awaited_once_with({PLAIN: 3})


async def test_the_drain_waits_for_what_is_being_done(safe: Any) -> None:
    messages = delivered(safe, range(3))
    safe._commit = AsyncMock(return_value=True)
    drain = asyncio.ensure_future(safe.wait_empty())
    while safe._waiting_for_ack is None:
        await asyncio.sleep(0)
    for message in messages:
        message.ack(safe)
    await asyncio.wait_for(drain, 2)
    safe._commit.assert_awaited_once_with({PLAIN: 3})


async def test_the_drain_is_bounded_and_commits_what_is_done(safe: Any) -> None:
    safe.drain_seconds, safe._commit = 0.1, AsyncMock(return_value=True)
    messages = delivered(safe, range(3))
    messages[0].ack(safe)
    await asyncio.wait_for(safe.wait_empty(), 3)
    safe._commit.assert_awaited_once_with({PLAIN: 1})


async def test_the_drain_ends_while_the_broker_is_away(safe: Any) -> None:
    away = asyncio.Event()

    async def no_answer(_: Any) -> bool:
        return await away.wait()

    safe.commit_seconds, safe._commit = 0.1, AsyncMock(side_effect=no_answer)
    for message in delivered(safe, range(3)):
        message.ack(safe)
    hangs = asyncio.ensure_future(safe.commit())
    await asyncio.sleep(0)
    await asyncio.wait_for(safe.wait_empty(), 3)
    away.set()
    await asyncio.wait({hangs})


async def test_a_forgotten_message_is_not_waited_for(safe: Any) -> None:
    (old,) = delivered(safe, [0])
    safe.forget(old)
    assert not safe.unacked
    assert committable(safe) == {}


async def test_a_seek_clears_the_books_of_the_old_reading(safe: Any) -> None:
    before = delivered(safe, range(3))
    safe.advance_floor(FLOOR, 4, "four")

    async def seek() -> dict[Any, int]:
        assert committable(safe) == {}, "nothing of the old reading is committed while the seek runs"
        delivered(safe, [3])
        return {PLAIN: 1, FLOOR: 2}

    safe.seek_to_committed = seek
    await safe.perform_seek()
    for message in before[:1]:
        message.ack(safe)
    assert committable(safe) == {}
    again = delivered(safe, [1, 2])
    for message in again:
        message.ack(safe)
    assert committable(safe) == {PLAIN: 3}


async def test_after_a_seek_what_was_committed_is_not_committed_again(safe: Any) -> None:
    safe.seek_to_committed = AsyncMock(return_value={PLAIN: 3})
    await safe.perform_seek()
    assert safe._should_commit(PLAIN, 4)
    assert not safe._should_commit(PLAIN, 3)


def test_faust_still_calls_what_is_overridden() -> None:
    """Names and parameters of the private methods, where a change would go unnoticed."""
    expected = {
        faust_consumer.Consumer: {
            "ack": ["message"],
            "perform_seek": [],
            "wait_empty": [],
            "commit": ["topics", "start_new_transaction"],
            "_add_gap": ["tp", "offset_from", "offset_to"],
            "_new_offset": ["tp"],
            "_should_commit": ["tp", "offset"],
            "_commit_offsets": ["offsets", "start_new_transaction"],
            "_filter_tps_with_pending_acks": ["topics"],
        },
        driver.Consumer: {"_to_message": ["tp", "record"], "_new_consumer_thread": []},
        driver.AIOKafkaConsumerThread: {
            "_commit": ["offsets"],
            "__post_init__": [],
            "_fetch_records": ["consumer", "active_partitions", "timeout", "max_records"],
        },
        driver.Producer: {"_settings_extra": []},
    }
    for owner, methods in expected.items():
        for name, parameters in methods.items():
            found = list(inspect.signature(getattr(owner, name)).parameters)
            assert found == ["self", *parameters], f"{owner.__name__}.{name}"


@pytest.fixture
def thread(safe: Any) -> Any:
    """Return a consumer thread whose aiokafka consumer only remembers commits."""
    made = safe._thread
    made._consumer = AsyncMock()
    made._consumer.assignment = lambda: {driver.ensure_aiokafka_TP(tp) for tp in (PLAIN, FLOOR)}
    safe._commit = made._commit
    return made


def sent(thread: Any) -> dict[Any, tuple[int, str]]:
    """What the last commit said."""
    (pairs,) = thread._consumer.commit.await_args.args
    return {tuple(tp): (pair.offset, pair.metadata) for tp, pair in pairs.items()}


async def test_the_floor_commits_offset_and_metadata_as_a_pair(safe: Any, thread: Any) -> None:
    safe.advance_floor(FLOOR, 4, "four")
    assert await safe.commit()
    assert sent(thread) == {FLOOR: (4, "four")}
    assert thread.commits[FLOOR] == (4, "four")


async def test_the_metadata_is_committed_too_when_the_floor_stood_still(safe: Any, thread: Any) -> None:
    for metadata in ("first", "second"):
        safe.advance_floor(FLOOR, 4, metadata)
        assert await safe.commit()
        assert sent(thread) == {FLOOR: (4, metadata)}
    assert not await safe.commit()


async def test_a_floor_at_offset_zero_is_committed(safe: Any, thread: Any) -> None:
    safe.advance_floor(FLOOR, 0, "all of it")
    assert await safe.commit()
    assert sent(thread) == {FLOOR: (0, "all of it")}


async def test_a_floor_that_moves_while_its_commit_is_sent_keeps_its_pair(safe: Any, thread: Any) -> None:
    safe.advance_floor(FLOOR, 4, "four")
    offsets = committable(safe)
    safe.advance_floor(FLOOR, 6, "six")
    committable(safe)
    await thread._commit(offsets)
    assert sent(thread) == {FLOOR: (6, "six")}


@pytest.mark.parametrize(
    "error", [CommitFailedError("rejoining"), IllegalStateError("not assigned"), KafkaConnectionError("away")]
)
async def test_a_refused_commit_of_a_floor_is_made_again_and_crashes_nothing(
    safe: Any, thread: Any, error: Exception
) -> None:
    thread._consumer.commit.side_effect = error
    safe.advance_floor(FLOOR, 4, "four")
    assert not await safe.commit()
    assert (thread.commits, thread.crashed) == ({}, False)
    thread._consumer.commit.side_effect = None
    assert await safe.commit()
    assert sent(thread) == {FLOOR: (4, "four")}


async def test_partitions_that_are_not_ours_any_more_are_not_committed(safe: Any, thread: Any) -> None:
    thread._consumer.assignment = set
    assert not await thread._commit({PLAIN: 3})
    thread._consumer.commit.assert_not_awaited()


async def test_the_producer_is_idempotent_and_waits_for_all_replicas(safe: Any) -> None:
    settings = transport.Producer(safe.transport)._settings_extra()
    assert (settings["acks"], settings["enable_idempotence"]) == ("all", True)


async def test_polls_keep_a_pace_and_a_lone_record_does_not_wait(
    safe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, slept, found = [100.0], list[float](), {"record": 1}

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds, 4))
        clock[0] += seconds

    async def fetched(*_: Any) -> Any:
        return found

    monkeypatch.setattr(transport, "monotonic", lambda: clock[0])
    monkeypatch.setattr(transport.asyncio, "sleep", sleep)
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetched)
    for _ in range(2):
        assert await safe._thread._fetch_records(None, None, timeout=1.0, max_records=5) == found
        clock[0] += 0.004
    assert slept == [0.006], "the second comes too soon after the first"
    clock[0] += 1.0
    await safe._thread._fetch_records(None, None)
    assert slept == [0.006]


async def test_a_forgotten_message_delays_no_rebalance_and_holds_the_commit_until_it_is_done(
    safe: Any,
) -> None:
    first, second = delivered(safe, [0, 1])
    safe.forget(first)
    second.ack(safe)
    assert (set(safe.unacked), committable(safe)) == (set(), {})
    assert not safe.ledgers[PLAIN].settled
    first.ack(safe)
    assert committable(safe) == {PLAIN: 2}
