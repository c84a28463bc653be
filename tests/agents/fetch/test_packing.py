"""When micro-batches leave the packer while nothing else is under way."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from siftstream.agents.fetch.packing import EARLY_S, Packer, Sample
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas import DataUri

PARTITIONS = 4


class Packed:
    """A packer with a clock that the test turns."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, settings: FetchSettings | None = None) -> None:
        self.now = 100.0
        self.out: list[list[str]] = []
        self.quiet = True
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)
        self.packer: Packer[None] = Packer(settings or FetchSettings(), PARTITIONS, self._sent)

    def _sent(self, partition: int, batch: list[tuple[Sample, None]]) -> None:
        del partition
        self.out.append([sample.event.sample_id for sample, _ in batch])

    def add(self, *names: str) -> None:
        samples = [
            Sample(DataUri(uri="near:x", sample_id=name), {"x": np.zeros(1, np.uint8)}, bytes(32))
            for name in names
        ]
        self.packer.add([(sample, None) for sample in samples])
        self.packer.quiet(lambda: self.quiet)

    async def wait(self, seconds: float) -> None:
        self.now += seconds
        for _ in range(3):
            await asyncio.sleep(0)


async def test_after_a_pause_a_lone_sample_goes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = Packed(monkeypatch)
    for name in ("a", "b"):
        packed.add(name)
        await packed.wait(EARLY_S)
    assert packed.out == [["a"], ["b"]]
    packed.packer.close()


async def test_a_thin_stream_is_not_cut_into_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = Packed(monkeypatch)
    for number in range(1000):  # a sample every millisecond
        packed.add(f"{number}")
        await packed.wait(0.001)
    early = 1.0 / EARLY_S
    assert early / 2 < len(packed.out) <= early + PARTITIONS
    assert sum(map(len, packed.out)) > 1000 - EARLY_S * PARTITIONS * 2000
    packed.packer.close()


async def test_samples_held_back_stay_when_others_are_under_way_by_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packed = Packed(monkeypatch)
    packed.add("a")
    packed.add("b")
    packed.quiet = False
    await packed.wait(EARLY_S)
    assert packed.out == [["a"]]
    await packed.wait(FetchSettings().linger)
    assert packed.out == [["a"], ["b"]]
    packed.packer.close()


async def test_a_closed_packer_sends_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = Packed(monkeypatch)
    packed.add("a")
    packed.add("b")
    packed.packer.close()
    await packed.wait(10.0)
    assert (packed.out, packed.packer.waiting) == ([["a"]], 1)
