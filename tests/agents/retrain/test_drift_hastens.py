"""A drift lets a trainer begin with fewer new labels than it would wait for."""

import asyncio

from siftstream.agents.retrain.pool import Pool
from siftstream.agents.retrain.urgency import Urgency
from siftstream.schemas import Drift, Slice, TrainingLabel
from siftstream.streams.record import Record


def drift(seen: int, at: float) -> Drift:
    """Return a drift told at a moment."""
    return Drift(
        partition=0, seen=seen, position=9, statistic="embedding", detector="adwin", model_version="v1",
        before=1.0, after=9.0, detected_at=at,
    )  # fmt: skip


def pool_of(count: int) -> Pool:
    """Return a pool with so many training labels."""
    pool = Pool()
    for number in range(count):
        add(pool, number)
    return pool


def add(pool: Pool, number: int) -> None:
    """Let one more sample have a label."""
    label = TrainingLabel(sample_id=f"s{number}", uri="file:///x", label="a", slice=Slice.TRAIN)
    pool.fold(Record("labelled", 0, number, None, label.encode()))


async def test_after_a_drift_one_later_label_is_enough():
    pool = pool_of(20)
    urgency = Urgency(100.0, pool.__len__)
    waiting = asyncio.ensure_future(pool.reaches(40, 20, urgency.wants))
    add(pool, 20)  # of the stream as it was
    urgency.told(drift(50, 120.0))
    pool.nudge()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    add(pool, 21)
    await asyncio.wait_for(waiting, 5)


async def test_a_drift_heard_of_is_asked_about_without_another_label():
    """The label came while the view of drift was behind: the nudge alone wakes who waits."""
    pool = pool_of(20)
    urgency = Urgency(100.0, lambda: 19)
    waiting = asyncio.ensure_future(pool.reaches(40, 20, urgency.wants))
    await asyncio.sleep(0)
    urgency.told(drift(50, 120.0))
    pool.nudge()
    await asyncio.wait_for(waiting, 5)


async def test_a_drift_without_a_new_label_trains_nothing():
    pool = pool_of(20)
    urgency = Urgency(100.0, pool.__len__)
    urgency.told(drift(50, 120.0))
    waiting = asyncio.ensure_future(pool.reaches(40, 20, urgency.wants))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    add(pool, 20)
    await asyncio.wait_for(waiting, 5)


async def test_a_first_run_waits_for_its_labels_whatever_drifts():
    pool = pool_of(5)
    urgency = Urgency(0.0, pool.__len__)
    urgency.told(drift(50, 120.0))
    waiting = asyncio.ensure_future(pool.reaches(20, 20, urgency.wants))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


def test_a_drift_before_the_last_run_or_told_twice_is_no_reason():
    urgency = Urgency(100.0, lambda: 20)
    urgency.told(drift(50, 90.0))
    assert urgency.wants() is None
    urgency.told(drift(50, 110.0))  # found again by a worker that was killed: the same key
    assert urgency.wants() is None
    urgency.told(drift(950, 110.0))
    assert urgency.wants() == 21
    urgency.answered()
    urgency.told(drift(950, 130.0))
    assert urgency.wants() is None
