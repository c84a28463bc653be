"""No record is lost: the cases in which stock Faust loses some, and the outages of real life."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from siftstream.streams.broker import LocalBroker
from tests.streams.workers import Workers, wait_for

pytestmark = pytest.mark.kafka

MakeWorkers = Callable[[str], Workers]


@pytest.fixture
def workers(broker: str, topic_prefix: str, tmp_path: Path) -> MakeWorkers:
    """Return what makes the workers of a kind."""
    return lambda kind: Workers(broker, topic_prefix, tmp_path, kind)


def numbered(first: int, end: int) -> list[str]:
    return [str(number) for number in range(first, end)]


@pytest.mark.parametrize("kind", ["batch", "bunches"])
def test_sigterm_in_mid_batch_loses_none(workers: MakeWorkers, kind: str) -> None:
    with workers(kind) as stage:
        stage.hold()
        stage.put([*numbered(0, 20), "slow", *numbered(20, 63)])
        stage.start("one")
        wait_for(lambda: any("slow" in line for line in stage.said("one", "handling")), "the slow batch")
        stage.end("one", signal.SIGTERM)
        assert stage.committed()[0] <= 20
        stage.release()
        stage.start("one")
        assert stage.out(lambda found: len(found) == 64) == {*numbered(0, 63), "slow"}


def pass_by_a_slow_record(stage: Workers, committed: int) -> set[str]:
    """Kill -9 when all but one record are done and committed as far as they will be; return what came out."""
    stage.hold()
    stage.put([*numbered(0, 3), "slow", *numbered(3, 63)])
    stage.start("one")
    assert stage.out(lambda found: len(found) == 63) == set(numbered(0, 63))
    wait_for(lambda: stage.committed()[0] == committed, f"a commit of {committed}")
    stage.end("one", signal.SIGKILL)
    stage.release()
    stage.put(["last"])
    stage.start("one")
    return stage.out(lambda found: "last" in found)


def test_kill_9_with_one_slow_message_loses_none(workers: MakeWorkers) -> None:
    with workers("each") as stage:
        pass_by_a_slow_record(stage, committed=3)
        assert stage.out(lambda found: len(found) == 65) == {*numbered(0, 63), "slow", "last"}


def test_the_stock_transport_loses_it_so_this_test_can_fail(workers: MakeWorkers) -> None:
    with workers("stock-each") as stage:
        assert "slow" not in pass_by_a_slow_record(stage, committed=64)


def test_kill_9_in_mid_bunch_loses_none(workers: MakeWorkers) -> None:
    with workers("bunches") as stage:
        stage.hold()
        stage.put([*numbered(0, 200), "slow", *numbered(200, 400)])
        stage.start("one")
        wait_for(lambda: any("slow" in line for line in stage.said("one", "handling")), "the slow bunch")
        assert any(len(line.split()) > 16 for line in stage.said("one", "handling")), "not in bunches"
        stage.end("one", signal.SIGKILL)
        assert stage.committed()[0] <= 200
        stage.release()
        stage.start("one")
        assert stage.out(lambda found: len(found) == 401) == {*numbered(0, 400), "slow"}
        wait_for(lambda: stage.committed()[0] == 401, "a commit of all")


@pytest.mark.parametrize("kind", ["batch", "bunches"])
def test_a_worker_that_joins_and_leaves_loses_none(workers: MakeWorkers, kind: str) -> None:
    with workers(kind) as stage:
        stage.start("one")
        expected = numbered(0, 100)
        stage.put(expected)
        stage.out(lambda found: len(found) == 100)
        stage.start("two")

        def two_works() -> bool:
            for partition in (0, 1):
                more = numbered(len(expected), len(expected) + 20)
                stage.put(more, partition)
                expected.extend(more)
            return bool(stage.said("two", "handling"))

        wait_for(two_works, "work for the second worker")
        stage.end("two", signal.SIGTERM)
        for partition in (0, 1):
            more = numbered(len(expected), len(expected) + 20)
            stage.put(more, partition)
            expected.extend(more)
        assert stage.out(lambda found: len(found) == len(expected)) == set(expected)


@pytest.mark.parametrize("kind", ["batch", "bunches"])
def test_a_broker_killed_and_restarted_loses_none(topic_prefix: str, tmp_path: Path, kind: str) -> None:
    with LocalBroker() as own, Workers(own.bootstrap, topic_prefix, tmp_path, kind) as stage:
        stage.hold()
        stage.put([*numbered(0, 20), "slow"])
        stage.start("one")
        wait_for(lambda: any("slow" in line for line in stage.said("one", "handling")), "the slow batch")
        own.kill()
        stage.release()  # its outputs find no broker
        assert own.ended(10)
        own.restart()
        stage.put(numbered(20, 40))
        assert stage.out(lambda found: len(found) == 41) == {*numbered(0, 40), "slow"}
        assert "one" in stage.running
        assert stage.running["one"].poll() is None, "the worker was restarted, and need not be"
