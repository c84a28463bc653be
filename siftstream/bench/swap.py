"""A model swap under full load: the gap between scores around it, and whether each sample is scored once.

The line is kept full while versions go live one after the other, in turn with a new head on the same encoder
and with a new encoder. Around each swap the longest time in which no score was read is held against the time
of a device batch: `infer.batch.max` samples, with as many runs at once as there are, at the line's own speed.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, pairwise
from typing import Any, Final

from siftstream.bench.encoders import Model, announced, published, stored
from siftstream.bench.ends import Ends, ends
from siftstream.bench.failed import BenchFailed
from siftstream.bench.running import Running
from siftstream.bench.workbench import Workbench, cores
from siftstream.schemas import ModelVersion, Scores
from siftstream.streams.topics import ensure_topics

Figures = dict[str, Any]
HEAD, ENCODER = "new head", "new encoder"
SWAPS: Final = (HEAD, ENCODER, HEAD, ENCODER, HEAD, ENCODER)
AHEAD: Final = 3000  # samples kept under way: several device batches for every run
SETTLE_S: Final = 3.0  # of full load before the first swap, and after each
SWAPPED_WITHIN_S: Final = 120.0
BATCHES_ALLOWED: Final = 2.0


@dataclass
class Seen:
    """What came out: when, of which version, and how often each sample."""

    times: list[float] = field(default_factory=list[float])
    first: dict[str, float] = field(default_factory=dict[str, float])  # of each version
    counts: Counter[str] = field(default_factory=Counter[str])
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, scores: Scores, now: float) -> None:
        """Note one micro-batch."""
        self.times.append(now)
        self.first.setdefault(scores.model_version, now)
        self.counts.update(scores.sample_ids)
        self.changed.set()


def swap(bench: Workbench) -> Figures:
    """Swap models under full load.

    `swaps` has for each the kind, the longest gap around it in milliseconds and in batches, and the
    milliseconds from its announcement to its first score; `undisturbed_ms` the longest gap between swaps;
    `lost` and `repeated` count samples.

    Raises:
        BenchFailed: a stage ended, or a version was not live within two minutes.
    """
    model = bench.model
    config = bench.config("swap", model, select={"trigger": {"every": 500}, "budget": {"per_round": 125}})
    running = Running(config, folder=bench.folder / config["pipeline"]["name"])
    ensure_topics(running.settings.kafka, running.settings.pipeline)
    published(running.settings, bench.onnx(model), version="before")
    versions = _versions(bench, running, model)
    with running:
        return asyncio.run(_swapped(bench, running, versions))


def _versions(bench: Workbench, running: Running, model: Model) -> list[ModelVersion]:
    """Store every version before the load begins: what is measured is the swap."""
    made: list[ModelVersion] = []
    onnx = bench.onnx(model)
    for number, kind in enumerate(SWAPS, 1):
        if kind == ENCODER:
            onnx = _renamed(bench.onnx(model), number)
        made.append(stored(running.settings, onnx, version=f"swap-{number}", seed=number))
    return made


def _renamed(onnx: bytes, number: int) -> bytes:
    """Return the same graph as another file: every worker has to load it anew."""
    import onnx as onnx_library

    graph = onnx_library.load_model_from_string(onnx)
    graph.doc_string = f"number {number}"
    return graph.SerializeToString()


async def _swapped(bench: Workbench, running: Running, versions: Sequence[ModelVersion]) -> Figures:
    seen = Seen()
    async with ends(running.settings, seen.note) as both:
        feeding = asyncio.create_task(_feed(both, bench.uris(bench.model.side, AHEAD)))
        try:
            await _steady(seen, running)
            began, sent = seen.times[0], list[float]()
            for version in versions:
                sent.append(time.perf_counter())
                await asyncio.to_thread(announced, running.settings, version)
                await _live(seen, version.version)
                await asyncio.sleep(SETTLE_S)
            end = time.perf_counter()
        finally:
            feeding.cancel()
            await asyncio.wait([feeding])
        await both.answered()
    rate = sum(seen.counts.values()) / (seen.times[-1] - began)
    runs = running.settings.infer.runs or cores()
    return figures(seen, sent, end, batch_s=bench.model.batch * runs / rate, pushed=both.sent)


async def _feed(both: Ends, uris: Sequence[str]) -> None:
    source = cycle(uris)
    while True:
        while both.under_way < AHEAD:
            await both.send(next(source))
        both.scored.clear()
        await both.scored.wait()


async def _steady(seen: Seen, running: Running) -> None:
    """Wait for the first score, then let the load settle."""
    deadline = time.monotonic() + SWAPPED_WITHIN_S
    while not seen.times:
        running.check()
        if time.monotonic() > deadline:
            raise BenchFailed("swap: no score came; the stages' logs say why")
        await asyncio.sleep(0.1)
    await asyncio.sleep(SETTLE_S)


async def _live(seen: Seen, version: str) -> None:
    """Wait for a version's first score."""
    try:
        async with asyncio.timeout(SWAPPED_WITHIN_S):
            while version not in seen.first:
                seen.changed.clear()
                await seen.changed.wait()
    except TimeoutError:
        raise BenchFailed(f"swap: {version} was not live within {SWAPPED_WITHIN_S:g} s") from None


def figures(seen: Seen, sent: Sequence[float], end: float, *, batch_s: float, pushed: int) -> Figures:
    """Sum up.

    Args:
        seen: What came out; versions are called `swap-1` and so on.
        sent: When each was announced, in seconds.
        end: When the last one had settled.
        batch_s: Seconds of a device batch.
        pushed: Samples pushed.
    """
    swaps: list[Figures] = []
    calm = [longest(seen.times, sent[0] - SETTLE_S, sent[0])]
    for number, (at, after) in enumerate(pairwise([*sent, end]), 1):
        live = seen.first[f"swap-{number}"]
        gap = longest(seen.times, at, live + SETTLE_S / 2)
        calm.append(longest(seen.times, live + SETTLE_S / 2, after))
        swaps.append(
            {
                "kind": SWAPS[number - 1], "gap_ms": round(1e3 * gap, 1), "batches": round(gap / batch_s, 2),
                "live_after_ms": round(1e3 * (live - at), 1),
            }
        )  # fmt: skip
    return {
        "swaps": swaps, "batch_ms": round(1e3 * batch_s, 1), "undisturbed_ms": round(1e3 * max(calm), 1),
        "pushed": pushed, "lost": pushed - len(seen.counts),
        "repeated": sum(seen.counts.values()) - len(seen.counts),
        "met": max(one["batches"] for one in swaps) < BATCHES_ALLOWED,
    }  # fmt: skip


def longest(times: Sequence[float], begin: float, end: float) -> float:
    """Return the longest time without a score that touches the span from `begin` to `end`, both included.

    >>> longest([0.0, 1.0, 1.5, 4.0, 4.2], 1.2, 2.0)
    2.5
    """
    gaps = [later - at for at, later in pairwise(sorted(times)) if later > begin and at < end]
    return max(gaps, default=end - begin)


def table(found: Figures) -> list[str]:
    """Return the lines that are printed."""
    printed = [
        f"{one['kind']:12} longest gap {one['gap_ms']:7.1f} ms = {one['batches']:5.2f} batches,"
        f" live after {one['live_after_ms']:7.1f} ms"
        for one in found["swaps"]
    ]
    return [
        *printed,
        f"between swaps longest gap {found['undisturbed_ms']:6.1f} ms; a batch: {found['batch_ms']:.1f} ms",
        f"{found['pushed']:,} samples: {found['lost']} lost, {found['repeated']} scored twice",
    ]
