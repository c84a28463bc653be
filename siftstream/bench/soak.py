"""The soak: the memory of every process, from ten thousand samples to a million.

The samples cost next to nothing (CSV rows in data: URIs, many a record) and the model is tiny, so that what
grows with the number of samples shows within minutes. What grows by design and then stops is set small
enough to be full at the first look: the window of select (`select.window.size` rows a partition) and the
ids that fetch remembers (`fetch.dedup_horizon`). Select also keeps the id of every sample it ever chose,
about a hundred bytes each: that is what the budget lets through, not what streams by.
"""

import asyncio
import os
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

from siftstream.bench.encoders import MODELS
from siftstream.bench.pusher import Pusher
from siftstream.bench.pushing import MANY
from siftstream.bench.reading import Reading, reading
from siftstream.bench.running import Running
from siftstream.bench.statistics import Straight
from siftstream.bench.workbench import Workbench
from siftstream.streams.topics import ensure_topics

Figures = dict[str, Any]
FIRST: Final = 10_000  # samples before the first look, and in every lot that is pushed
EVERY: Final = 100_000
LOOKS, LOOK_EVERY_S = 5, 0.3  # the median of several looks, once nothing moves
ALLOWED: Final = 0.05  # growth of a process
URI: Final = "data:,0.25,0.75"
SECTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "transform": {
        "kind": "table", "format": "csv", "header": ["a", "b"], "columns": [{"name": "a"}, {"name": "b"}],
    },
    "fetch": {"dedup_horizon": FIRST // 2},
    "select": {"window": {"size": 1000}, "trigger": {"every": 500}},
}  # fmt: skip


def soak(bench: Workbench) -> Figures:
    """Push samples up to `options.soak`, looking at every process's memory on the way.

    `looks` has samples and MiB of each process, `growth` its share from the first look to the last,
    `mb_a_million` the slope of the straight line through all looks, `grown` the names of those of our
    processes that grew by more than a twentieth. The broker and this process are shown and not judged.

    Raises:
        BenchFailed: a process ended, a sample became a dead letter, or nothing moved for a minute.
    """
    config = bench.config("soak", MODELS["cnn"], **SECTIONS)
    running = Running(config, folder=bench.folder / config["pipeline"]["name"])
    ensure_topics(running.settings.kafka, running.settings.pipeline)
    with running, Pusher(bench.broker.bootstrap, bench.folder) as pusher:
        ours = tuple(running.processes)
        running.watch("broker", bench.broker.pid)
        running.watch("bench", os.getpid())
        looks = asyncio.run(_looks(bench, running, pusher))
    return summary(looks, ours)


async def _looks(bench: Workbench, running: Running, pusher: Pusher) -> list[Figures]:
    looks, done = list[Figures](), 0
    async with reading(running.settings) as read:
        for place in places(bench.options.soak):
            while done < place:
                lot = range(done, min(done + FIRST, place))
                await _scored(running, pusher, read, lot)
                done = lot.stop
            looks.append({"samples": done, "mb": await _memory(running)})
            shown = ", ".join(f"{name} {mb:.0f}" for name, mb in looks[-1]["mb"].items())
            bench.tell(f"soak: {done:,} samples: {shown} MiB")
    return looks


async def _scored(running: Running, pusher: Pusher, read: Reading, lot: range) -> None:
    """Push a lot and wait for its scores: as much waits in Kafka before the first look as later."""
    since = await read.ends("scores", "dead-letters")
    file = pusher.prepare("soak", [(f"soak-{number:09d}", URI) for number in lot])
    await asyncio.to_thread(pusher.push, running.settings.pipeline.topic("data-uris"), MANY, file)
    await read.count("scores", since, len(lot), running.check)


async def _memory(running: Running) -> dict[str, float]:
    seen: list[dict[str, float]] = []
    for _ in range(LOOKS):
        await asyncio.sleep(LOOK_EVERY_S)
        seen.append({name: used.rss_bytes / 2**20 for name, used in running.usage().items()})
    return {name: statistics.median(look[name] for look in seen) for name in seen[0]}


def places(samples: int) -> list[int]:
    """Return after how many samples memory is looked at; at least two places.

    >>> places(250_000)
    [10000, 100000, 200000, 250000]
    >>> places(2_000)
    [200, 1100, 2000]
    """
    if samples <= 2 * FIRST:
        first = max(1, samples // 10)
        return sorted({first, (first + samples) // 2, max(samples, first + 1)})
    return [FIRST, *range(EVERY, samples, EVERY), samples]


def summary(looks: Sequence[Figures], ours: Sequence[str]) -> Figures:
    """Return growth and slope of each process.

    >>> looks = [{"samples": 0, "mb": {"fetch": 100.0}}, {"samples": 500_000, "mb": {"fetch": 110.0}}]
    >>> found = summary(looks, ["fetch"])
    >>> found["growth"], found["mb_a_million"], found["grown"]
    ({'fetch': 0.1}, {'fetch': 20.0}, ['fetch'])
    """
    samples = [look["samples"] for look in looks]
    values = {name: [look["mb"][name] for look in looks] for name in looks[0]["mb"]}
    growth = {name: round(mbs[-1] / mbs[0] - 1.0, 4) for name, mbs in values.items()}
    slopes = {name: round(1e6 * Straight.through(samples, mbs).slope, 3) for name, mbs in values.items()}
    return {
        "looks": list(looks), "growth": growth, "mb_a_million": slopes,
        "grown": [name for name in ours if growth[name] > ALLOWED],
    }  # fmt: skip


def table(figures: Figures) -> list[str]:
    """Return the lines that are printed."""
    names = list(figures["growth"])
    printed = ["samples    " + "".join(f"{name:>10}" for name in names) + "   MiB"]
    printed += [
        f"{look['samples']:>10,} " + "".join(f"{look['mb'][name]:>10.1f}" for name in names)
        for look in figures["looks"]
    ]
    printed.append("growth     " + "".join(f"{100 * figures['growth'][name]:>+9.1f}%" for name in names))
    printed.append(
        "a million  " + "".join(f"{figures['mb_a_million'][name]:>+10.1f}" for name in names) + "   MiB"
    )
    return printed
