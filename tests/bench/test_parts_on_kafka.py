"""Latency, soak and swap on the real broker, with few samples: all are scored, all figures are there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from siftstream.bench import latency as latency_module
from siftstream.bench import swap as swap_module
from siftstream.bench.latency import latency
from siftstream.bench.options import Options
from siftstream.bench.soak import soak
from siftstream.bench.swap import ENCODER, HEAD, swap
from siftstream.bench.workbench import Workbench

pytestmark = pytest.mark.kafka

MakeBench = Callable[..., Workbench]


@pytest.fixture
def bench(broker: str, topic_prefix: str, tmp_path: Path) -> MakeBench:
    """Return what makes a workbench on the test's broker, with the small CNN."""
    local: Any = SimpleNamespace(bootstrap=broker, pid=os.getpid())

    class Named(Workbench):
        def config(self, name: str, *args: Any, **sections: Any) -> dict[str, Any]:
            return super().config(f"{topic_prefix}-{name}", *args, **sections)

    return lambda **given: Named(Options(models=("cnn",), **given), tmp_path, local, lambda text: None)


def test_a_sample_alone_and_a_steady_stream_are_timed(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency_module, "MODELS", ("cnn",))
    monkeypatch.setattr(latency_module, "WARM", 2)
    figures = latency(bench(count=64), samples=5)["cnn"]
    assert (figures["alone"]["samples"], figures["half_load"]["samples"]) == (5, 57)
    assert 0.0 < figures["alone"]["median"] < 10_000.0
    assert figures["rate"] == figures["capacity"] / 2


def test_the_soak_looks_at_every_process(bench: MakeBench) -> None:
    figures = soak(bench(soak=2000))
    assert [look["samples"] for look in figures["looks"]] == [200, 1100, 2000]
    assert set(figures["growth"]) == {"fetch", "infer", "select", "broker", "bench"}
    assert all(10.0 < mb < 4000.0 for look in figures["looks"] for mb in look["mb"].values())


def test_models_are_swapped_with_nothing_lost_or_scored_twice(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swap_module, "SWAPS", (HEAD, ENCODER))
    monkeypatch.setattr(swap_module, "SETTLE_S", 0.5)
    monkeypatch.setattr(swap_module, "AHEAD", 300)
    figures = swap(bench())
    assert [one["kind"] for one in figures["swaps"]] == [HEAD, ENCODER]
    assert (figures["lost"], figures["repeated"]) == (0, 0)
    assert all(one["gap_ms"] > 0 and one["live_after_ms"] > 0 for one in figures["swaps"])
