"""Emitting, on a producer that only remembers: what goes into which record batch, and what is raised."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.producer.message_accumulator import BatchBuilder

from siftstream.schemas.errors import BadRecord, EmitTimeout, UnavailableError
from siftstream.streams.emit import Emitter, check_sizes
from siftstream.streams.partition import partition_of
from siftstream.streams.record import Outgoing
from siftstream.streams.settings import PipelineSettings
from siftstream.streams.transport import MAX_RECORD_BYTES

PIPELINE = PipelineSettings(name="p", partitions=4)


class Batch(BatchBuilder):
    """aiokafka's own batch, which remembers its values."""

    def __init__(self, size: int) -> None:
        super().__init__(size, 0)
        self.values: list[bytes] = []

    def append(self, **record: Any) -> Any:
        metadata = super().append(**record)
        if metadata is not None:
            self.values.append(record["value"])
        return metadata


@dataclass
class Producer:
    """Takes batches; `answer` settles each one's future."""

    answer: Callable[[asyncio.Future[Any]], None] = lambda future: future.set_result(None)
    size: int = 1000
    sent: list[tuple[str, int, list[bytes]]] = field(default_factory=list[tuple[str, int, list[bytes]]])

    @property
    def batches(self) -> Producer:
        return self

    async def maybe_start_producer(self) -> Producer:
        return self

    def create_batch(self) -> Batch:
        return Batch(self.size)

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[Any]:
        self.sent.append((topic, partition, batch.values))
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.answer(future)
        return future


def emitter(producer: Producer, deadline: float = 5.0) -> Emitter:
    return Emitter(producer, PIPELINE, deadline=deadline)


def refuse(future: asyncio.Future[Any]) -> None:
    future.set_exception(KafkaConnectionError("away"))


async def test_what_fits_goes_out_as_one_batch_a_partition_in_order() -> None:
    producer = Producer()
    outputs = [Outgoing("scores", b"%d" % n, partition=n % 2) for n in range(6)]
    await emitter(producer).send(outputs)
    assert producer.sent == [("p.scores", 0, [b"0", b"2", b"4"]), ("p.scores", 1, [b"1", b"3", b"5"])]


async def test_topics_are_kept_apart() -> None:
    producer = Producer()
    await emitter(producer).send(
        [Outgoing("scores", b"a", partition=0), Outgoing("labels", b"b", partition=0)]
    )
    assert producer.sent == [("p.scores", 0, [b"a"]), ("p.labels", 0, [b"b"])]


async def test_without_a_partition_the_key_places_it_as_kafka_would() -> None:
    producer = Producer()
    await emitter(producer).send([Outgoing("labels", b"v", b"sample-1"), Outgoing("models", b"m", b"main/1")])
    assert [(topic, at) for topic, at, _ in producer.sent] == [
        ("p.labels", partition_of("sample-1", 4)),
        ("p.models", 0),
    ]


async def test_what_does_not_fit_overflows_into_further_batches_without_loss() -> None:
    producer = Producer()
    values = [bytes([65 + n]) * 300 for n in range(8)]
    await emitter(producer).send([Outgoing("scores", value, partition=1) for value in values])
    assert [value for _, _, batch in producer.sent for value in batch] == values
    assert [len(batch) for _, _, batch in producer.sent] == [3, 3, 2]


async def test_a_record_larger_than_a_batch_goes_alone() -> None:
    producer = Producer()
    values = [b"a", b"b" * 5000, b"c"]
    await emitter(producer).send([Outgoing("scores", value, partition=1) for value in values])
    assert [batch for _, _, batch in producer.sent] == [[b"a"], [b"b" * 5000], [b"c"]]


async def test_nothing_to_send_needs_no_producer() -> None:
    await Emitter(None, PIPELINE, deadline=1).send([])


async def test_it_returns_only_when_every_batch_is_acknowledged() -> None:
    waiting: list[asyncio.Future[Any]] = []
    producer = Producer(waiting.append)
    sending = asyncio.ensure_future(
        emitter(producer).send([Outgoing("scores", b"", partition=n) for n in range(2)])
    )
    while len(waiting) < 2:
        await asyncio.sleep(0)
    waiting[0].set_result(None)
    done, _ = await asyncio.wait({sending}, timeout=0.01)
    assert not done
    waiting[1].set_result(None)
    await asyncio.wait_for(sending, 1)


async def test_an_acknowledgement_that_never_comes_ends_at_the_deadline() -> None:
    with pytest.raises(EmitTimeout, match=r"1 outputs were not acknowledged within 0\.05 s"):
        await emitter(Producer(lambda _: None), deadline=0.05).send([Outgoing("scores", b"", partition=0)])


async def test_a_refusal_is_told_and_no_kafka_error_escapes() -> None:
    with pytest.raises(UnavailableError, match="refused 2 outputs"):
        await emitter(Producer(refuse)).send([Outgoing("scores", b"", partition=n) for n in range(2)])


async def test_a_broker_that_is_away_from_the_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_: Producer) -> Producer:
        raise KafkaConnectionError("no bootstrap")

    monkeypatch.setattr(Producer, "maybe_start_producer", away)
    with pytest.raises(UnavailableError, match="no bootstrap"):
        await emitter(Producer()).send([Outgoing("scores", b"", partition=0)])


def test_an_output_that_no_broker_takes_is_the_inputs_fault() -> None:
    check_sizes([Outgoing("scores", b"x" * MAX_RECORD_BYTES), Outgoing("labelled", None)])
    with pytest.raises(BadRecord, match=r"scores: an output of .* bytes is over"):
        check_sizes([Outgoing("scores", b"x" * (MAX_RECORD_BYTES + 1))])
