"""How long one sample takes from its URI being sent to its score being read: alone, and under half load.

Alone: one sample after the other on an idle pipeline, each after a pause of random length. Half load: a
steady stream, one URI a record, at half of the rate that the same pipeline reached just before; every
sample of it is timed. Both ends are one process with one clock.
"""

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import Any, Final, Self

import numpy as np

from siftstream.bench.encoders import Model, model_of, published
from siftstream.bench.ends import Ends, ends
from siftstream.bench.running import Running
from siftstream.bench.workbench import Workbench
from siftstream.streams.topics import ensure_topics

Figures = dict[str, Any]
MODELS: Final = ("resnet18", "cnn")
SAMPLES: Final = 300  # timed alone
WARM: Final = 30  # samples before the clock starts
PAUSE_S: Final = (0.02, 0.12)  # between a score and the next URI: in step with nobody's timer
TICK_S: Final = 0.002  # between two looks at how many URIs of the steady stream are due
TARGETS: Final = {"alone": (30.0, 60.0), "half_load": (None, 300.0)}  # median and p99, in milliseconds


@dataclass(frozen=True)
class Times:
    """Milliseconds from URI to score."""

    samples: int
    median: float
    p99: float
    longest: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """Sum up.

        >>> Times.of([0.010] * 98 + [0.050, 0.090])
        Times(samples=100, median=10.0, p99=50.4, longest=90.0)
        """
        median, p99, longest = 1e3 * np.percentile(seconds, [50, 99, 100])
        return cls(len(seconds), *(round(float(value), 2) for value in (median, p99, longest)))

    def __str__(self) -> str:
        return f"median {self.median:7.1f} ms   p99 {self.p99:7.1f} ms   longest {self.longest:7.1f} ms"


async def alone(both: Ends, uris: Iterator[str], samples: int, rng: random.Random) -> Times:
    """Send one sample after the other, each after a pause of random length."""
    for number in range(WARM + samples):
        if number == WARM:
            both.seconds.clear()
        await both.send(next(uris))
        await both.answered()
        await asyncio.sleep(rng.uniform(*PAUSE_S))
    return Times.of(both.seconds)


async def capacity(both: Ends, uris: Iterator[str], samples: int) -> float:
    """Send so many at once; return samples a second, from the first URI to the last score."""
    began = time.perf_counter()
    for _ in range(samples):
        await both.send(next(uris))
    await both.answered()
    return samples / (time.perf_counter() - began)


async def steady(both: Ends, uris: Iterator[str], samples: int, rate: float) -> Times:
    """Send a steady stream of so many a second; the first tenth is a warm-up."""
    began, sent = time.perf_counter(), 0
    while sent < samples:
        due = min(samples, int((time.perf_counter() - began) * rate))
        for _ in range(due - sent):
            await both.send(next(uris))
        sent = due
        await asyncio.sleep(TICK_S)
    await both.answered()
    return Times.of(both.seconds[-(samples * 9 // 10) :])


def latency(bench: Workbench, samples: int = SAMPLES) -> Figures:
    """Time samples through fetch, infer and select: by model, `alone`, `capacity`, `rate` and `half_load`.

    Raises:
        BenchFailed: a stage ended, or a sample had no score within a minute.
    """
    return {name: _of_model(bench, model_of(name), samples) for name in MODELS}


def _of_model(bench: Workbench, model: Model, samples: int) -> Figures:
    config = bench.config("latency", model, select={"trigger": {"every": 500}, "budget": {"per_round": 125}})
    del config["infer"]  # as it comes
    running = Running(config, folder=bench.folder / config["pipeline"]["name"])
    ensure_topics(running.settings.kafka, running.settings.pipeline)
    published(running.settings, bench.onnx(model))
    loaded = bench.options.count
    uris = bench.uris(model.side, min(loaded, 1000))

    async def run() -> Figures:
        async with ends(running.settings) as both:
            source = cycle(uris)
            single = await alone(both, source, samples, random.Random(0))
            await capacity(both, source, loaded // 4)  # what only a first burst pays
            most = await capacity(both, source, loaded)
            half = await steady(both, source, loaded, most / 2)
            return {"alone": asdict(single), "capacity": most, "rate": most / 2, "half_load": asdict(half)}

    with running:
        found = asyncio.run(run())
    bench.tell(f"latency: {model.name}: {found['alone']['median']:.1f} ms alone (median)")
    return found


def table(figures: Figures) -> list[str]:
    """Return the lines that are printed."""
    printed: list[str] = []
    for name, found in figures.items():
        rates = f"   ({found['rate']:,.0f} of {found['capacity']:,.0f} samples a second)"
        printed.append(f"{name:9} one alone  {Times(**found['alone'])}")
        printed.append(f"{name:9} half load  {Times(**found['half_load'])}{rates}")
    return printed


def met(figures: Figures) -> bool:
    """Tell whether every target was met."""
    return all(
        (median is None or found[part]["median"] < median) and found[part]["p99"] < p99
        for found in figures.values()
        for part, (median, p99) in TARGETS.items()
    )
