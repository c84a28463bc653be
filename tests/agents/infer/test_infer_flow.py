"""The flow of infer, without Kafka: device batches, overlap, bad samples, backpressure."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from siftstream.agents.infer.batching import Batcher
from siftstream.agents.infer.flow import AHEAD, Flow
from siftstream.agents.infer.routing import Routes
from siftstream.agents.infer.scoring import score
from siftstream.agents.infer.settings import BatchSettings, InferSettings
from siftstream.models.loaded import LoadedModel
from siftstream.schemas import Features, Scores
from siftstream.schemas.errors import EmitTimeout
from siftstream.streams.record import Record
from siftstream.streams.work import Work
from tests.agents.infer.parts import NAN, RAISES, FakeModel, alone, decoded, record, scores_in


class Bench:
    def __init__(self, settings: InferSettings, runs: int) -> None:
        self.model = FakeModel()
        self.sent: list[Work] = []
        self.acked: list[Any] = []
        self.counts: Counter[str] = Counter()
        self.changed = asyncio.Event()
        self.error: Exception | None = None
        routes: Routes = lambda ids: alone(self.model)(ids)  # noqa: E731
        self.flow = Flow(settings, runs, routes, send=self.send, ack=self.ack, count=self.count)

    def count(self, name: str, number: int) -> None:
        self.counts[name] += number

    async def send(self, work: Work) -> None:
        if self.error:
            raise self.error
        self.sent.append(work)

    async def ack(self, tokens: Sequence[Any]) -> None:
        self.acked += tokens
        self.changed.set()

    async def put(self, *records: Record) -> None:
        await self.flow.take([(r, r.offset) for r in records])

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.001)


@asynccontextmanager
async def bench(runs: int = 2, **batch: Any) -> AsyncGenerator[Bench, None]:
    made = Bench(InferSettings(batch=BatchSettings.model_validate(batch)), runs)
    async with made.flow.running():
        yield made


def test_a_batch_is_due_when_it_is_large_enough_or_its_oldest_has_waited() -> None:
    now = 0.0
    batcher = Batcher[str](BatchSettings(min=8, max=16, max_wait=0.5), clock=lambda: now)
    assert batcher.due_in() is None
    batcher.add("a", 3)
    now = 0.2
    batcher.add("b", 3)
    assert batcher.due_in() == pytest.approx(0.3)
    now = 0.6
    assert batcher.due_in() == 0.0
    assert batcher.take() == ["a", "b"]
    batcher.add("c", 8)
    assert batcher.due_in() == 0.0
    batcher.add("d", 9)
    assert (batcher.take(), batcher.take(), batcher.samples) == (["c"], ["d"], 0)


def test_a_micro_batch_larger_than_a_run_goes_alone() -> None:
    batcher = Batcher[str](BatchSettings(min=1, max=4), clock=lambda: 0.0)
    batcher.add("large", 200)
    batcher.add("small", 1)
    assert (batcher.take(), batcher.take()) == (["large"], ["small"])


async def test_every_sample_is_scored_once_on_its_partition_and_acknowledged() -> None:
    async with bench() as b:
        await b.put(*(record(n, [n, n + 1, n + 2], partition=n % 3) for n in range(40)))
    assert scores_in(b.sent) == {f"{n % 3}-{n}-{r}": n + r for n in range(40) for r in range(3)}
    assert sorted(b.acked) == list(range(40))
    assert b.counts == {"scored": 120, "refused": 0}
    assert all(
        out.partition == int(Scores.decode(out.value).sample_ids[0][0]) for w in b.sent for out in w.outputs
    )


async def test_under_load_batches_are_full_and_runs_overlap() -> None:
    async with bench(runs=2, min=4, max=8, max_wait=10.0) as b:
        b.model.gate.clear()
        await b.put(*(record(n, [1, 2]) for n in range(16)))
        await b.until(lambda: b.model.at_once == 2)
        b.model.gate.set()
    assert set(b.model.sizes) == {8}
    assert b.model.most_at_once == 2


@pytest.mark.parametrize("runs", [1, 2])
async def test_a_lone_sample_does_not_wait_for_others_while_nothing_runs(runs: int) -> None:
    async with bench(runs=runs, min=32, max_wait=3600.0) as b:
        for n in range(3):
            await b.put(record(n, [5]))
            await b.until(lambda n=n: b.acked == [*range(n + 1)])
    assert b.model.sizes == [1, 1, 1]


async def test_while_a_batch_runs_samples_wait_for_others_but_not_longer_than_it() -> None:
    async with bench(runs=2, min=4, max_wait=3600.0) as b:
        b.model.gate.clear()
        await b.put(record(0, [1]))
        await b.until(lambda: b.model.at_once == 1)
        await b.put(record(1, [2]), record(2, [3]))
        b.model.gate.set()
        await b.until(lambda: len(b.acked) == 3)
    assert b.model.sizes == [1, 2]


async def test_no_more_is_taken_than_can_wait_or_run() -> None:
    async with bench(runs=1, min=1, max=4) as b:
        b.model.gate.clear()
        putting = asyncio.ensure_future(b.put(*(record(n, [1] * 4) for n in range(20))))
        await b.until(lambda: b.flow.in_hand >= AHEAD * 4)
        assert not putting.done()
        assert b.flow.in_hand == AHEAD * 4
        b.model.gate.set()
        await putting
    assert len(b.acked) == 20


async def test_samples_that_the_model_cannot_judge_are_dead_letters_alone() -> None:
    async with bench(min=4, max=64) as b:
        await b.put(
            record(0, [1, NAN, 3]),
            record(1, [4, 5]),
            record(2, [RAISES]),
            Record("features", 0, 3, None, b"?"),
        )
    assert scores_in(b.sent) == {"0-0-0": 1, "0-0-2": 3, "0-1-0": 4, "0-1-1": 5}
    refused = [pair for work in b.sent for pair in work.refused]
    reasons = {r.offset: f"{type(error).__name__}: {error}" for r, error in refused}
    assert reasons[0] == "InferenceError: model v1 answered with a number that is not finite"
    assert reasons[2] == "InferenceError: the run failed"
    assert reasons[3].startswith("SchemaError: features")
    alone = next(r for r, _ in refused if r.offset == 0)
    assert Features.decode(alone.value).sample_ids == ["0-0-1"]
    assert sorted(b.acked) == [0, 1, 2, 3]
    assert b.counts == {"scored": 4, "refused": 3}


def test_features_of_two_configurations_do_not_stop_each_other() -> None:
    model: Any = FakeModel()
    both = [record(0, [1, 2]), record(1, [3], name="other")]
    work = score(alone(model), decoded(*both))
    assert scores_in([work]) == {"0-0-0": 1, "0-0-1": 2, "0-1-0": 3}
    assert model.sizes == [2, 1]


async def test_a_swap_takes_effect_between_two_batches() -> None:
    async with bench(runs=1, min=1, max=1) as b:
        await b.put(record(0, [1]))
        await b.until(lambda: b.acked == [0])
        b.model = FakeModel("v2")
        await b.put(record(1, [1]))
    versions = [Scores.decode(out.value).model_version for work in b.sent for out in work.outputs]
    assert versions == ["v1", "v2"]


async def test_a_broker_that_does_not_answer_ends_the_flow() -> None:
    async def without_a_broker() -> None:
        async with bench() as b:
            b.error = EmitTimeout("away")
            await b.put(record(0, [1]))
            await asyncio.Event().wait()

    with pytest.raises(EmitTimeout, match="away"):
        await without_a_broker()


def test_scores_too_large_for_a_record_are_halved_and_one_alone_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model: Any = FakeModel()
    model.predict = lambda inputs: (
        np.full((3, 1, 50), 0.02, np.float32), np.zeros((3, 400), np.float32)
    )  # fmt: skip
    batch = record(0, [1, 2, 3])
    whole = score(alone(model), decoded(batch)).outputs[0].value
    monkeypatch.setattr("siftstream.streams.emit.MAX_RECORD_BYTES", len(whole or b"") - 1)
    work = score(alone(model), decoded(batch))
    names = [Scores.decode(output.value).sample_ids for output in work.outputs]
    assert names == [["0-0-0"], ["0-0-1", "0-0-2"]]
    monkeypatch.setattr("siftstream.streams.emit.MAX_RECORD_BYTES", 100)
    work = score(alone(model), decoded(batch))
    assert [Features.decode(r.value).sample_ids for r, _ in work.refused] == [["0-0-0"], ["0-0-1"], ["0-0-2"]]
    assert "over the 100 of a record" in str(work.refused[0][1])


def test_the_largest_finite_scores_survive_half_precision() -> None:
    model: Any = FakeModel()
    model.predict = lambda inputs: (np.full((1, 1, 2), 0.5, np.float32), np.full((1, 2), 1e9, np.float32))
    one = record(0, [1])
    work = score(alone(model), decoded(one))
    assert np.isfinite(Scores.decode(work.outputs[0].value).embeddings).all()


def test_a_real_model_scores_through_the_same_door() -> None:
    from siftstream.models.settings import ModelSettings
    from siftstream.schemas.arrays import ArraySpec

    specs = {"image": ArraySpec((1, 8, 8), np.dtype(np.uint8))}
    model = LoadedModel.spare(specs, ["a", "b"], ModelSettings())
    images = np.random.default_rng(0).integers(0, 255, (5, 1, 8, 8)).astype(np.uint8)
    batch = Features(list("abcde"), list("abcde"), np.zeros(5), [{}] * 5, {"image": images}, [bytes(32)] * 5)
    work = score(alone(model), [(Record("features", 2, 0, None, batch.encode()), batch)])
    assert len(Scores.decode(work.outputs[0].value)) == 5
    assert not work.refused
