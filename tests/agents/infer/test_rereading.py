"""Reading features again, without Kafka: which requests are done, in which order, and what gives them up."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from siftstream.agents.infer import rereading
from siftstream.agents.infer.deployment import BLAMED, Deployment
from siftstream.agents.infer.rereading import Rereading, device_batches
from siftstream.schemas import Reread, Scores
from siftstream.schemas.errors import EmitTimeout, UnavailableError
from siftstream.streams.record import Outgoing, Record
from tests.agents.infer.parts import NAN, FakeEncoder, FakeModel, record

SAMPLES = 4  # a record


def model(version: str, encoder: str, **kinds: Any) -> Any:
    made: Any = FakeModel(version, **kinds)
    made.encoder = FakeEncoder(encoder)
    return made


class Log:
    """A stretch of records that are there."""

    def __init__(self, records: list[Record], end: int) -> None:
        self.records, self.end, self.over = records, end, False

    async def read(self) -> list[Record]:
        read, self.records = self.records[:2], self.records[2:]
        self.over = not self.records
        return read


class World:
    """The worker, its model and the log, as the test has them."""

    def __init__(self, size: int) -> None:
        self.deployment = Deployment("main", model("v2", "new"))
        self.is_settled = True
        self.features: dict[int, list[Record]] = {
            partition: [record(offset, [offset] * SAMPLES, partition) for offset in range(6)]
            for partition in range(2)
        }
        self.owned = {0, 1}
        self.acked: list[int] = []
        self.outputs: list[Outgoing] = []
        self.counts: Counter[str] = Counter()
        self.progress = self.looks = self.turns = 0
        self.errors: list[Exception] = []
        self.before_send: Callable[[], None] = lambda: None
        self.rereading = Rereading(self, size, self, self.count)

    # -- the live line

    async def settled(self, within: float) -> bool:
        del within
        self.looks += 1
        await asyncio.sleep(0)
        return self.is_settled

    # -- the worker

    @asynccontextmanager
    async def opened(self, partition: int, first: int, end: int) -> AsyncGenerator[Log, None]:
        if self.errors:
            raise self.errors.pop()
        yield Log([one for one in self.features[partition] if first <= one.offset < end], end)

    async def send(self, outputs: Sequence[Outgoing]) -> None:
        self.before_send()
        self.outputs += outputs

    def owns(self, partition: int) -> bool:
        return partition in self.owned

    def note_progress(self) -> None:
        self.progress += 1

    async def idle(self) -> None:
        self.turns += 1

    def count(self, name: str, number: float) -> None:
        self.counts[name] += int(number)

    # -- what a test does

    async def ask(
        self, offset: int, first: int = 0, end: int = 6, *, partition: int = 0, encoder: str = "new",
        version: str = "v2", generation: int = 1,
    ) -> None:  # fmt: skip
        async def ack() -> None:
            self.acked.append(offset)

        asked = Reread(partition=partition, version=version, encoder=encoder, first=first, end=end)
        where = Record("rereads", partition, offset, asked.key, asked.encode())
        await self.rereading.take(asked, where, generation, ack)

    def scores(self) -> list[Scores]:
        return [Scores.decode(output.value) for output in self.outputs]

    def scored(self) -> list[str]:
        return [name for batch in self.scores() for name in batch.sample_ids]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.001)


@asynccontextmanager
async def world(
    size: int = SAMPLES, idle: Callable[[], Awaitable[None]] | None = None
) -> AsyncGenerator[World, None]:
    made = World(size)
    running = asyncio.create_task(made.rereading.run(idle or made.idle))
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.wait({running})


def names(partition: int, offsets: Sequence[int]) -> list[str]:
    return [f"{partition}-{offset}-{row}" for offset in offsets for row in range(SAMPLES)]


async def test_a_request_is_acknowledged_when_its_stretch_is_scored_anew_on_its_partition() -> None:
    async with world() as it:
        it.before_send = lambda: None if not it.acked else pytest.fail("acknowledged too soon")
        await it.ask(3, first=1, end=5, partition=1)
        await it.until(lambda: it.acked == [3])
    assert it.scored() == names(1, range(1, 5))
    assert {output.partition for output in it.outputs} == {1}
    assert all(batch.again and batch.model_version == "v2" for batch in it.scores())
    assert [batch.source for batch in it.scores()] == [1, 2, 3, 4]
    assert it.counts == {"scored": 16, "left_out": 0}
    assert it.turns == 4
    assert it.progress >= 4


async def test_a_large_record_is_scored_in_small_pieces_and_small_records_together() -> None:
    async with world(size=2) as it:
        await it.ask(0, end=1)
        await it.until(lambda: it.acked == [0])
    assert [len(batch) for batch in it.scores()] == [2, 2]
    async with world(size=8) as it:
        await it.ask(0, end=4)
        await it.until(lambda: it.acked == [0])
    assert it.deployment.model is not None
    assert it.turns == 2
    assert it.scored() == names(0, range(4))


def test_records_that_cannot_be_read_or_joined_do_not_stop_the_others() -> None:
    unreadable = Record("features", 0, 2, None, b"no arrow")
    made = device_batches(
        [record(0, [1] * 4), record(1, [2] * 4, name="other"), unreadable, record(3, [3])], 6
    )
    assert [[one.offset for one, _ in batches] for _, batches in made] == [[0], [1], [3]]


async def test_samples_that_the_model_cannot_judge_are_left_out_and_are_no_dead_letters() -> None:
    async with world() as it:
        it.features[0][1] = record(1, [7, NAN, 7, NAN])
        await it.ask(0, end=3)
        await it.until(lambda: it.acked == [0])
    assert it.scored() == [*names(0, [0]), "0-1-0", "0-1-2", *names(0, [2])]
    assert {output.topic for output in it.outputs} == {"scores"}
    assert it.counts == {"scored": 10, "left_out": 2}


async def test_a_request_waits_while_the_model_is_loaded() -> None:
    async with world() as it:
        it.is_settled = False
        it.deployment.deploy(model("v1", "old"))
        await it.ask(0)
        await it.until(lambda: it.looks > 3)
        assert (it.outputs, it.acked) == ([], [])
        assert it.progress > 1  # nobody takes the worker for stuck meanwhile
        it.deployment.deploy(model("v2", "new"))
        it.is_settled = True
        await it.until(lambda: it.acked == [0])
    assert len(it.scored()) == 24


async def test_a_request_for_a_model_that_is_not_live_any_more_is_dropped() -> None:
    async with world() as it:
        await it.ask(0, encoder="gone")
        await it.until(lambda: it.acked == [0])
    assert not it.outputs


async def test_a_job_ends_when_the_model_before_returns() -> None:
    async with world(size=64) as it:
        it.deployment = Deployment("main", model("v1", "old"))
        it.deployment.deploy(model("v2", "new", broken=True))
        it.features[0] = [record(offset, [1] * BLAMED) for offset in range(4)]
        await it.ask(0)
        await it.until(lambda: it.acked == [0])
    assert it.deployment.model is not None
    assert it.deployment.model.version == "v1"
    assert not it.outputs  # what v1 says again is no news


async def test_a_newer_head_on_the_same_encoder_scores_as_well() -> None:
    async with world() as it:
        it.deployment.deploy(model("v3", "new"))
        await it.ask(0)
        await it.until(lambda: it.acked == [0])
    assert {batch.model_version for batch in it.scores()} == {"v3"}


async def test_a_newer_request_takes_the_place_of_a_running_one() -> None:
    async with world() as it:
        gate: Any = it.deployment.model
        gate.gate.clear()
        await it.ask(0, end=6)
        await it.until(gate.began.is_set)
        await it.ask(1, first=4, end=6)
        assert it.acked == [0]
        gate.gate.set()
        await it.until(lambda: it.acked == [0, 1])
    assert it.scored() == names(0, [0, 4, 5])  # the batch that ran was let finish


async def test_the_same_request_handed_out_again_goes_on_and_its_new_event_is_acknowledged() -> None:
    async with world() as it:
        gate: Any = it.deployment.model
        gate.gate.clear()
        await it.ask(5)
        await it.until(gate.began.is_set)
        await it.ask(5, generation=2)
        await it.ask(4, generation=2)  # superseded before the rebalance, and not committed
        assert it.acked == [4]
        gate.gate.set()
        await it.until(lambda: it.acked == [4, 5])
        await it.ask(5, generation=3)  # its commit was lost
        assert it.acked == [4, 5, 5]
    assert it.scored() == names(0, range(6))


async def test_what_was_just_done_whole_is_not_done_again_for_the_same_version() -> None:
    async with world() as it:
        await it.ask(0)
        await it.until(lambda: it.acked == [0])
        await it.ask(1, first=2, end=4)  # select asks again for what stays old
        assert it.acked == [0, 1]
        await it.ask(2, first=2, end=4, generation=2)  # another worker may have had it meanwhile
        await it.until(lambda: it.acked == [0, 1, 2])
    assert it.scored() == names(0, [*range(6), 2, 3])


async def test_a_partition_that_is_another_workers_is_given_up_and_not_acknowledged() -> None:
    async with world() as it:
        it.before_send = lambda: it.owned.discard(0)
        await it.ask(0)
        await it.ask(0, partition=1)
        await it.until(lambda: it.acked == [0])
        assert it.scored() == names(0, [0]) + names(1, range(6))
        it.owned, it.before_send = {0, 1}, lambda: None
        await it.ask(0, generation=2)  # it came back, and was not done there
        await it.until(lambda: it.acked == [0, 0])
    assert it.scored()[-24:] == names(0, range(6))


async def test_records_that_are_gone_are_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with world() as it:
        del it.features[0][:2]
        await it.ask(0)
        await it.until(lambda: it.acked == [0])
    assert it.scored() == names(0, range(2, 6))
    assert "2 of 6 records of features are gone" in caplog.text
    assert "16 samples scored, 0 left out" in caplog.text


async def test_a_busy_live_flow_delays_a_batch_and_does_not_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rereading, "TURN_S", 0.01)

    async def never() -> None:
        await asyncio.Event().wait()

    async with world(idle=never) as it:
        await it.ask(0, end=2)
        await it.until(lambda: it.acked == [0])
    assert it.scored() == names(0, range(2))


async def test_a_job_waits_while_kafka_is_away_and_an_unforeseen_error_ends_only_the_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rereading, "AGAIN_S", 0.0)
    async with world() as it:
        it.errors = [UnavailableError("away"), UnavailableError("away")]
        await it.ask(0)
        await it.until(lambda: it.acked == [0])
        assert it.scored() == names(0, range(6))
        it.errors = [ValueError("a bug")]
        await it.ask(1, generation=2)
        await it.until(lambda: it.acked == [0, 1])
        await it.ask(2, generation=2)
        await it.until(lambda: it.acked == [0, 1, 2])
    assert len(it.scored()) == 48


async def test_a_broker_that_does_not_acknowledge_ends_the_worker() -> None:
    it = World(SAMPLES)
    it.errors = [EmitTimeout("no")]
    await it.ask(0)
    with pytest.raises(EmitTimeout):
        await it.rereading.run(it.idle)
    assert not it.acked
