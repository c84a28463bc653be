"""What is said of latency, and that one clock times every sample once."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from siftstream.bench import ends as ends_module
from siftstream.bench.ends import Ends
from siftstream.bench.failed import BenchFailed
from siftstream.bench.latency import Times, met, steady, table
from siftstream.schemas import DataUri, Scores
from siftstream.settings.load import settings_from


class Loop:
    """A pipeline that scores at once what is sent to it; `lost` samples never."""

    def __init__(self, lost: int = 0) -> None:
        self.records: asyncio.Queue[Any] = asyncio.Queue()
        self.sent = 0
        self.lost = lost

    async def send(self, topic: str, value: bytes, key: bytes) -> None:
        assert topic == "data-uris"
        event = DataUri.decode(value)
        assert key == event.key
        self.sent += 1
        if self.sent > self.lost:
            await self.records.put(event)

    async def getmany(self, timeout_ms: int) -> dict[str, list[Any]]:
        event = await self.records.get()
        scores = Scores(
            sample_ids=[event.sample_id], uris=[event.uri], event_times=np.zeros(1), metadata=[{}],
            probs=np.full((1, 1, 2), 0.5, np.float32), embeddings=np.zeros((1, 2), np.float16),
            model_version="v", encoder="0" * 64,
        )  # fmt: skip
        return {"scores": [SimpleNamespace(value=scores.encode())]}


async def both_of(loop: Loop, samples: int, rate: float) -> tuple[Ends, Times]:
    unnamed: Any = loop
    settings = settings_from({"classes": ["a", "b"]})
    both = Ends(settings, unnamed, unnamed, lambda scores, now: None)
    reading = asyncio.create_task(both.read())
    try:
        return both, await steady(both, iter(["near:x"] * samples), samples, rate)
    finally:
        reading.cancel()
        await asyncio.wait([reading])


async def test_each_sample_of_a_steady_stream_is_timed_once() -> None:
    both, times = await both_of(Loop(), 50, 10_000.0)
    assert (both.sent, both.under_way, len(both.seconds)) == (50, 0, 50)
    assert times.samples == 45
    assert 0.0 < times.median <= times.p99 <= times.longest


async def test_a_sample_without_a_score_ends_the_measurement_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ends_module, "ANSWER_WITHIN_S", 0.05)
    with pytest.raises(BenchFailed, match=r"^1 of 5 samples had no score within 0\.05 s; the stages' logs"):
        await both_of(Loop(lost=1), 5, 10_000.0)


def found(median: float, p99: float, loaded: float) -> dict[str, Any]:
    alone = {"samples": 300, "median": median, "p99": p99, "longest": p99}
    half = {"samples": 9000, "median": 90.0, "p99": loaded, "longest": loaded}
    return {"cnn": {"alone": alone, "half_load": half, "capacity": 2000.0, "rate": 1000.0}}


@pytest.mark.parametrize(
    ("figures", "good"),
    [
        (found(29.9, 59.9, 299.9), True),
        (found(30.1, 59.9, 299.9), False),
        (found(29.9, 60.1, 299.9), False),
        (found(29.9, 59.9, 300.1), False),
    ],
)
def test_every_target_counts(figures: dict[str, Any], good: bool) -> None:
    assert met(figures) is good


def test_both_loads_are_told_with_the_rate() -> None:
    printed = table(found(20.0, 40.0, 120.0))
    assert "one alone  median    20.0 ms   p99    40.0 ms" in printed[0]
    assert "half load" in printed[1]
    assert printed[1].endswith("(1,000 of 2,000 samples a second)")
