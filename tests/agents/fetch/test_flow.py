"""The flow of fetch, without Kafka: what is sent, what is acknowledged when, and who waits for whom."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import BaseModel

from siftstream.agents.fetch.flow import Flow
from siftstream.agents.fetch.intake import Arrival
from siftstream.agents.fetch.loaders import Loader, Reader
from siftstream.agents.fetch.loaders.base import Loaded, LocalLoader, Want
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.agents.fetch.transforms import Transform
from siftstream.schemas import DataUri, Features
from siftstream.schemas.arrays import ArraySpec
from siftstream.schemas.bulk import decode_many
from siftstream.schemas.errors import (
    EmitTimeout,
    LoadError,
    RefusedError,
    SchemaError,
    TransformError,
    UnavailableError,
)
from siftstream.streams.record import Record
from siftstream.streams.work import Work

PARTITIONS = 4


class OddError(TransformError):
    """Made with other arguments than ours."""

    def __init__(self, where: str, number: int) -> None:
        super().__init__(f"{where} {number}")


class Bytes(Transform):
    """The first byte of the object, as an array of one number; `!` is what it cannot read."""

    Settings: ClassVar[type[BaseModel]] = BaseModel
    specs: ClassVar[Any] = {"x": ArraySpec((1,), np.dtype(np.uint8))}

    def __call__(self, data: bytes) -> dict[str, np.ndarray]:
        if data == b"!":
            raise TransformError("not a letter")
        if data == b"odd":
            raise OddError("plug-in", 7)
        if data == b"more":
            return {"x": np.zeros(1, np.uint8), "y": np.zeros(1, np.uint8)}
        if data == b"bug":
            raise KeyError("unforeseen")
        return {"x": np.zeros(9 if data == b"wrong" else 1, np.uint8) + data[0]}


class Remote(Loader):
    """`far:NAME` gives NAME's bytes when its gate opens; a gate is open until it is asked for."""

    schemes: ClassVar[tuple[str, ...]] = ("far",)
    cacheable: ClassVar[bool] = False

    def __init__(self, settings: FetchSettings) -> None:
        super().__init__(settings)
        self.gates: dict[str, asyncio.Event] = {}
        self.calls: Counter[str] = Counter()
        self.fail: dict[str, Exception] = {}

    def gate(self, name: str) -> asyncio.Event:
        return self.gates.setdefault(name, asyncio.Event())

    async def load(self, uri: str, want: Want) -> Loaded:
        name = uri.removeprefix("far:")
        self.calls[name] += 1
        if name in self.gates:
            await self.gates[name].wait()
        if name in self.fail:
            raise self.fail[name]
        return Loaded(name.partition("/")[0].encode())


class Near(LocalLoader):
    """`near:NAME`, read in the crew's threads; `near:hangs` waits for the test's end."""

    schemes: ClassVar[tuple[str, ...]] = ("near",)

    def __init__(self, settings: FetchSettings) -> None:
        super().__init__(settings)
        self.over = threading.Event()

    def read(self, uri: str) -> bytes:
        if uri == "near:hangs":
            self.over.wait(30)
        return uri.removeprefix("near:").encode()

    async def load(self, uri: str, want: Want) -> Loaded:
        return Loaded(self.read(uri))


class Bench:
    """A running flow, what it sent, and what it acknowledged."""

    def __init__(self, settings: FetchSettings) -> None:
        self.far, self.near = Remote(settings), Near(settings)
        self.sent: list[Work] = []
        self.acked: list[int] = []
        self.counts: Counter[str] = Counter()
        self.changed = asyncio.Event()
        self.hold = asyncio.Event()
        self.hold.set()
        self.error: Exception | None = None
        self.settings = settings
        self.offset = 0
        self.reader = Reader(settings, loaders={"far": self.far, "near": self.near})
        self.flow = Flow(
            settings, Bytes(None), self.reader, PARTITIONS, send=self.send, ack=self.ack, count=self.count
        )

    def count(self, name: str, number: int) -> None:
        self.counts[name] += number

    async def ack(self, offsets: Sequence[int]) -> None:
        self.acked += offsets
        self.changed.set()

    async def send(self, work: Work) -> None:
        await self.hold.wait()
        if self.error:
            raise self.error
        self.sent.append(work)

    async def put(self, uri: str, sample_id: str | None = None, value: bytes | None = None) -> int:
        offset, self.offset = self.offset, self.offset + 1
        event = DataUri.model_validate({"uri": uri} | ({"sample_id": sample_id} if sample_id else {}))

        record = Record("data-uris", 0, offset, None, event.encode() if value is None else value)
        await self.flow.take([Arrival(record, found, offset) for found in decode_many(record.value)])
        return offset

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    @property
    def features(self) -> list[Features]:
        return [Features.decode(out.value) for work in self.sent for out in work.outputs]

    @property
    def uris(self) -> list[str]:
        return sorted(uri for batch in self.features for uri in batch.uris)

    @property
    def refused(self) -> dict[int, str]:
        pairs = [pair for work in self.sent for pair in work.refused]
        return {record.offset: f"{type(error).__name__}: {error}" for record, error in pairs}


@asynccontextmanager
async def bench(**settings: Any) -> AsyncGenerator[Bench, None]:
    made = Bench(
        FetchSettings.model_validate(
            {"schemes": ["far", "near"], "linger": 0.0, "attempts": 1, "decode_threads": 2, **settings}
        )
    )
    async with made.reader, made.flow.running():
        yield made


async def test_samples_near_and_far_become_features_on_their_own_partitions() -> None:
    async with bench() as b:
        for uri in ("near:a", "near:b", "far:c", "far:d"):
            await b.put(uri)
    assert b.uris == ["far:c", "far:d", "near:a", "near:b"]
    values = {
        u: int(x[0]) for batch in b.features for u, x in zip(batch.uris, batch.inputs["x"], strict=True)
    }
    assert values["near:a"] == ord("a")
    assert values["far:d"] == ord("d")
    assert sorted(b.acked) == [0, 1, 2, 3]
    assert b.counts == {"passed": 4}
    assert {out.partition for work in b.sent for out in work.outputs} <= set(range(PARTITIONS))


async def test_a_slow_uri_delays_only_itself() -> None:
    async with bench() as b:
        slow = b.far.gate("slow")
        first = await b.put("far:slow")
        for n in range(50):
            await b.put(f"far:quick/{n}")
        await b.until(lambda: len(b.acked) == 50)
        assert first not in b.acked
        slow.set()
    assert sorted(b.acked) == list(range(51))


async def test_nothing_is_acknowledged_before_it_is_sent() -> None:
    async with bench() as b:
        b.hold.clear()
        for uri in ("near:a", "far:b", "near:!"):
            await b.put(uri)
        for _ in range(200):
            await asyncio.sleep(0)
        assert not b.acked
        b.hold.set()
    assert sorted(b.acked) == [0, 1, 2]


async def test_what_cannot_be_used_goes_to_dead_letters_with_its_reason() -> None:
    async with bench() as b:
        b.far.fail = {
            "gone": LoadError("far:…: gone"),
            "no": RefusedError("far:…: no"),
            "busy": UnavailableError("x"),
        }
        for uri in ("far:gone", "far:no", "far:busy", "near:!", "near:wrong", "other:a", "near:ok"):
            await b.put(uri)
        await b.put("near:a", value=b"{not json")
    assert b.uris == ["near:ok"]
    assert {offset: words.split(":")[0] for offset, words in b.refused.items()} == {
        0: "LoadError", 1: "RefusedError", 2: "LoadError", 3: "TransformError", 4: "TransformError",
        5: "RefusedError", 7: "SchemaError",
    }  # fmt: skip
    assert b.refused[4].endswith("the transform made x uint8 9, x uint8 1 declared")
    assert sorted(b.acked) == list(range(8))
    assert b.counts == {"passed": 1, "refused": 7}
    assert SchemaError.__name__ in b.refused[7]


async def test_an_unforeseen_error_in_a_plug_in_is_one_dead_letter(caplog: pytest.LogCaptureFixture) -> None:
    async with bench() as b:
        await b.put("near:bug")
        await b.put("near:a")
    assert b.refused == {0: "KeyError: 'unforeseen'"}
    assert "an unforeseen error on near:…" in caplog.text
    assert b.uris == ["near:a"]


async def test_a_plug_ins_own_errors_and_arrays_too_many_are_dead_letters() -> None:
    async with bench() as b:
        for uri in ("near:odd", "near:more", "near:a"):
            await b.put(uri)
    assert b.refused == {
        0: "OddError: near:…: plug-in 7",
        1: "TransformError: near:…: the transform made x uint8 1, y uint8 1, x uint8 1 declared",
    }
    assert b.uris == ["near:a"]


async def test_the_same_id_is_passed_on_once_under_way_and_later() -> None:
    async with bench() as b:
        gate = b.far.gate("a")
        for _ in range(3):
            await b.put("far:a", "id-1")
        gate.set()
        await b.until(lambda: len(b.acked) == 3)
        await b.put("far:a", "id-1")
    assert b.uris == ["far:a"]
    assert b.far.calls["a"] == 1
    assert sorted(b.acked) == [0, 1, 2, 3]
    assert b.counts == {"passed": 1, "duplicates": 3}


async def test_a_twin_is_acknowledged_only_when_the_first_was_sent() -> None:
    async with bench() as b:
        b.hold.clear()
        await b.put("near:a", "id-1")
        await b.put("near:a", "id-1")
        for _ in range(200):
            await asyncio.sleep(0)
        assert not b.acked
        b.hold.set()


async def test_the_twin_of_a_failed_sample_tries_for_itself() -> None:
    async with bench() as b:
        gate = b.far.gate("gone")
        b.far.fail = {"gone": LoadError("far:…: gone")}
        await b.put("far:gone", "id-1")
        await b.put("near:a", "id-1")
        await b.put("near:b", "id-1")
        gate.set()
    assert list(b.refused) == [0]
    assert b.uris == ["near:a"]
    assert b.counts == {"refused": 1, "passed": 1, "duplicates": 1}


async def test_the_same_bytes_under_two_uris_pass_once_if_so_configured() -> None:
    for dedup, expected in (("content", 1), ("id", 3), ("none", 4)):
        async with bench(dedup=dedup) as b:
            for uri in ("far:a/1", "far:a/2", "far:a/3", "far:a/1"):
                await b.put(uri)
        assert sum(len(batch) for batch in b.features) == expected
        assert sorted(b.acked) == [0, 1, 2, 3]
        assert b.counts.get("duplicates", 0) == 4 - expected


async def test_beyond_the_horizon_a_sample_counts_as_new() -> None:
    async with bench(dedup_horizon=2) as b:
        for number, uri in enumerate(("near:a", "near:b", "near:c", "near:a")):
            await b.put(uri)
            await b.until(lambda n=number: len(b.acked) == n + 1)
    assert b.uris == ["near:a", "near:a", "near:b", "near:c"]


async def test_a_micro_batch_goes_out_when_it_is_full_by_samples_or_bytes() -> None:
    async def full_by_samples() -> None:
        async with bench(micro_batch=8, linger=60.0) as b:
            b.far.gate("slow")
            await b.put("far:slow")  # so that there is something to wait for
            for n in range(8 * PARTITIONS * 4):
                await b.put(f"near:{n}")
            await b.until(lambda: len(b.acked) >= 8)
            assert {len(batch) for batch in b.features} == {8}
            raise EmitTimeout("over")  # leaves at once: what is still open is read again

    with pytest.raises(EmitTimeout, match="over"):
        await full_by_samples()
    async with bench(micro_batch_bytes=600, linger=0.0) as b:
        for n in range(40):
            await b.put(f"near:{n}")
    assert sum(len(batch) for batch in b.features) == 40
    assert max(len(batch) for batch in b.features) <= 5


async def test_the_oldest_sample_of_a_micro_batch_does_not_wait_longer_than_linger() -> None:
    async with bench(linger=0.05) as b:
        gate = b.far.gate("slow")
        await b.put("far:slow")
        await b.put("near:a")
        await b.until(lambda: b.acked == [1])
        gate.set()


async def test_a_sample_with_nothing_else_under_way_does_not_wait_for_company() -> None:
    async with bench(linger=3600.0) as b:
        for n in range(3):
            await b.put(f"near:{n}")
            await b.until(lambda n=n: b.acked == [*range(n + 1)])


async def test_samples_wait_for_the_one_under_way_and_go_when_it_fails() -> None:
    async with bench(linger=3600.0) as b:
        gate = b.far.gate("bad")
        b.far.fail["bad"] = LoadError("gone")
        await b.put("far:bad")
        await b.put("near:a")
        async with asyncio.timeout(5):
            while not b.flow._packer.waiting:  # pyright: ignore[reportPrivateUsage]
                await asyncio.sleep(0)
        assert b.acked == []
        gate.set()
        await b.until(lambda: b.acked == [0, 1])


async def test_no_more_records_are_taken_than_hands_are_free() -> None:
    async with bench(in_hand=3) as b:
        gates = [b.far.gate(f"{n}") for n in range(4)]
        for n in range(3):
            await b.put(f"far:{n}")
        fourth = asyncio.ensure_future(b.put("far:3"))
        for _ in range(50):
            await asyncio.sleep(0)
        assert not fourth.done()
        assert b.flow.in_hand == 3
        gates[1].set()
        async with asyncio.timeout(5):
            await fourth
        for gate in gates:
            gate.set()


async def test_a_read_that_hangs_is_answered_for_and_others_go_on() -> None:
    async with bench(timeout=0.2, decode_threads=1) as b:
        await b.put("near:hangs")
        await b.put("near:a")
        await b.until(lambda: len(b.acked) == 2)
        assert b.refused == {0: "LoadError: near:…: not read and transformed within 0.2 s (fetch.timeout)"}
        assert b.uris == ["near:a"]
        b.near.over.set()


async def test_while_one_read_hangs_the_other_threads_do_all_the_rest() -> None:
    async with bench(decode_threads=2, linger=0.01) as b:
        await b.put("near:hangs")
        for n in range(500):
            await b.put(f"near:{n}")
        await b.until(lambda: len(b.acked) == 500)
        assert 0 not in b.acked
        b.near.over.set()
    assert len(b.acked) == 501


async def test_a_broker_that_does_not_answer_ends_the_flow() -> None:
    async def without_a_broker() -> None:
        async with bench() as b:
            b.error = EmitTimeout("away")
            await b.put("near:a")
            await asyncio.Event().wait()

    with pytest.raises(EmitTimeout, match="away"):
        await without_a_broker()
