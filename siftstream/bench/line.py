"""siftstream whole: URIs pushed, features, scores, a quarter of the samples selected, by the wall clock."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from siftstream.bench.encoders import Model, published
from siftstream.bench.load import Load, samples
from siftstream.bench.pusher import Pusher
from siftstream.bench.pushing import MANY
from siftstream.bench.reading import Reading, Row, reading
from siftstream.bench.running import Running, Usage
from siftstream.bench.span import rate_within
from siftstream.bench.workbench import Workbench, cores
from siftstream.streams.topics import ensure_topics

TOPICS = ("features", "scores", "selected", "dead-letters")
MADE_BY = {"fetch": "features", "infer": "scores", "select": "selected"}
WATCHER = "bench"  # this process: reads what is selected, as any connector would
Figures = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """A line to measure: the model, how its URIs are pushed, and settings that differ."""

    model: Model
    onnx: bytes
    load: Load
    shape: str = MANY
    sections: Mapping[str, Mapping[str, Any]] | None = None
    replicas: Mapping[str, int] | None = None
    uris: tuple[str, ...] = ()  # what is pushed; none: pictures of the workbench
    environment: Mapping[str, str] | None = None  # of the stages, besides ours


def whole_line(bench: Workbench, line: Line) -> Figures:
    """Run a line once: start it, warm it up, push, wait for the last selection; return its figures.

    `samples_a_second` counts from the first push to the last selection known, `to_last_score` to the last
    score made; `cpu_us` is microseconds a sample of each process, `ceiling` the samples a second that their
    sum allows on the cores; `stages` has each stage's own rate (10 % to 90 % of its samples), the cores that
    its processes kept busy, and its share of waiting.

    Raises:
        BenchFailed: a process ended, a sample became a dead letter, or nothing moved for a minute.
    """
    sections = {"select": line.load.select(), **(line.sections or {})}
    config = bench.config("line", line.model, **sections)
    folder = bench.folder / config["pipeline"]["name"]
    running = Running(config, folder=folder, replicas=line.replicas, environment=line.environment)
    ensure_topics(running.settings.kafka, running.settings.pipeline)
    published(running.settings, line.onnx)
    with running, Pusher(bench.broker.bootstrap, bench.folder) as pusher:
        running.watch("broker", bench.broker.pid)
        running.watch("push", pusher.pid)
        running.watch(WATCHER, os.getpid())
        return asyncio.run(_run(bench, line, running, pusher))


async def _run(bench: Workbench, line: Line, running: Running, pusher: Pusher) -> Figures:
    load, name = line.load, running.settings.pipeline.name
    uris = line.uris or bench.uris(line.model.side, load.count)
    topic = running.settings.pipeline.topic("data-uris")
    warm = pusher.prepare("warm", samples(f"{name}-w", uris, load.warm.count))
    main = pusher.prepare("main", samples(f"{name}-m", uris, load.count))
    async with reading(running.settings) as read:
        since = await read.ends(*TOPICS)
        await asyncio.to_thread(pusher.push, topic, line.shape, warm)
        await read.count("selected", since, load.warm.chosen, running.check)
        since = await read.ends(*TOPICS)
        running.mark()
        pushing = asyncio.create_task(asyncio.to_thread(pusher.push, topic, line.shape, main))
        last = await read.count("selected", since, load.chosen, running.check)
        usage = running.usage()
        first, pushed = await pushing
        return await _figures(load, read, since, usage, first, pushed, last)


async def _figures(
    load: Load,
    read: Reading,
    since: Any,
    usage: Mapping[str, Usage],
    first: float,
    pushed: float,
    last: float,
) -> Figures:
    seconds = last - first
    rows = {stage: await read.rows(topic, since) for stage, topic in MADE_BY.items()}
    cpu = {name: 1e6 * used.cpu_s / load.count for name, used in usage.items()}
    return {
        "samples": load.count, "selected": load.chosen, "seconds": seconds,
        "samples_a_second": load.count / seconds,
        "to_last_score": load.count / (rows["infer"][-1].at - first),
        "push_s": pushed - first, "cpu_us": cpu, "cpu_us_sum": sum(cpu.values()),
        "ceiling": 1e6 * cores() / sum(cpu.values()),
        "peak_mb": {name: used.peak_bytes / 2**20 for name, used in usage.items()},
        "stages": {
            stage: {"samples_a_second": rate_of(rows[stage], load), **busy(stage, usage, seconds)}
            for stage in MADE_BY
        },
        "scored_twice": sum(len(row.ids) for row in rows["infer"]) - load.count,
    }  # fmt: skip


def rate_of(rows: Sequence[Row], load: Load) -> float | None:
    """Return a stage's own rate in samples that came in: select lets only one in four through."""
    made = sum(len(row.ids) for row in rows)
    rate = rate_within(rows)
    return None if rate is None else rate * max(1, round(load.count / made))


def busy(stage: str, usage: Mapping[str, Usage], seconds: float) -> dict[str, float]:
    """Return how many cores the processes of a stage kept busy, and the share of time each did nothing."""
    ours = [used.cpu_s for name, used in usage.items() if name.split("-")[0] == stage]
    kept = sum(ours) / seconds
    return {"cores": kept, "waiting": max(0.0, 1.0 - kept / len(ours))}
