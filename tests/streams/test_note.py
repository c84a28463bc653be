"""The note beside the commits: it goes with each, reaches the broker when it alone moved, is read back."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from kafka.structs import TopicPartition

from siftstream.cli.status import running
from siftstream.streams.lag import Ends, position_of, positions_of
from siftstream.streams.runs_on import RunsOn
from siftstream.streams.settings import PipelineSettings
from siftstream.streams.status import GroupStatus, Status
from tests.streams.faust_parts import FLOOR, PLAIN, delivered

NOTE = RunsOn("main", "v0003", "cpu", "fp32", 2, "tensorrt has no device, cuda has no device")


class Broker:
    """Takes commits as the consumer's thread does."""

    def __init__(self, safe: Any) -> None:
        self.made: list[dict[TP, tuple[int, str]]] = []
        self.away = False
        self._safe = safe
        safe._commit = self.commit

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        if self.away:
            return False
        self.made.append({tp: self._safe.commit_pair(tp, offset) for tp, offset in offsets.items()})
        self._safe._thread.commits.update(self.made[-1])
        return True


@pytest.fixture
async def broker(safe: Any) -> Broker:
    return Broker(safe)


def done(safe: Any, offset: int) -> None:
    for message in delivered(safe, [offset]):
        message.ack(safe)


async def test_the_note_goes_with_a_commit(safe: Any, broker: Broker) -> None:
    safe.note = "first"
    done(safe, 0)
    await safe.commit()
    assert broker.made == [{PLAIN: (1, "first")}]


async def test_a_note_that_alone_moved_is_committed_once(safe: Any, broker: Broker) -> None:
    safe.note = "first"
    done(safe, 0)
    await safe.commit()
    safe.note = "second"
    for _ in range(3):
        await safe.commit()
    assert broker.made == [{PLAIN: (1, "first")}, {PLAIN: (1, "second")}]
    done(safe, 1)
    await safe.commit()
    assert broker.made[2:] == [{PLAIN: (2, "second")}]


async def test_a_note_that_the_broker_did_not_take_is_committed_again(safe: Any, broker: Broker) -> None:
    done(safe, 0)
    await safe.commit()
    safe.note, broker.away = "news", True
    assert not await safe.commit()
    broker.away = False
    assert await safe.commit()
    assert broker.made[1:] == [{PLAIN: (1, "news")}]


async def test_a_note_alone_commits_nothing_of_a_partition_that_was_never_read(
    safe: Any, broker: Broker
) -> None:
    safe.note = "first"
    await safe.commit()
    assert broker.made == []


async def test_no_old_offset_is_committed_for_a_notes_sake(safe: Any, broker: Broker) -> None:
    done(safe, 4)
    await safe.commit()
    safe._clear_books()  # a rebalance: another worker may have gone on meanwhile
    safe.note = "news"
    await safe.commit()
    assert broker.made == [{PLAIN: (5, "")}]


async def test_a_floor_keeps_the_metadata_of_its_own(safe: Any, broker: Broker) -> None:
    safe.note = "note"
    safe.advance_floor(FLOOR, 4, "floor")
    await safe.commit()
    assert broker.made == [{FLOOR: (4, "floor")}]


def test_a_long_reason_still_fits_beside_a_commit() -> None:
    long = RunsOn("main", "v1", "cpu", "fp32", 2, "ü" * 10_000)
    assert len(long.encode().encode()) < 4096
    assert RunsOn.decode(long.encode()) is not None


@pytest.mark.parametrize(
    "metadata", ["", "first", "{}", "[1]", '{"runs_on": 3}', '{"runs_on": {"line": "a"}}', "{"]
)
def test_what_is_no_note_is_none(metadata: str) -> None:
    assert RunsOn.decode(metadata) is None
    assert position_of(7, metadata, 0).next == 7


def test_the_notes_of_a_group_are_read_with_its_positions() -> None:
    pipeline = PipelineSettings(name="p")
    places = [TopicPartition(pipeline.topic("features"), number) for number in range(3)]
    ends = Ends(dict.fromkeys(places, 0), dict.fromkeys(places, 9))
    committed = {
        places[0]: SimpleNamespace(offset=4, metadata=NOTE.encode()),
        places[1]: SimpleNamespace(offset=5, metadata=""),
    }
    found = positions_of("infer", committed, pipeline, ends)
    assert [found[place].runs_on for place in places] == [NOTE, None, None]
    assert [found[place].next for place in places] == [4, 5, 0]


def test_status_says_each_note_once() -> None:
    group = GroupStatus("infer", "p.infer", "features", 1, 0, 0, 0.0, runs_on={NOTE: 4})
    quiet = GroupStatus("fetch", "p.fetch", "data-uris", 1, 0, 0, 0.0)
    assert running(Status(0.0, (quiet, group), {}, ())) == [
        "infer runs main/v0003 on cpu (fp32, 2 runs): tensorrt has no device, cuda has no device"
    ]
