"""The select stage as it runs, on a real broker: coming back after a kill, keeping up, answering."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.selecting.pipeline import Ear, Pipeline, heard, wait_for
from benchmarks.selecting.stream import Stream
from siftstream.bench.running import Running, cpu_seconds
from siftstream.connectors.client import Client
from siftstream.schemas import Query
from siftstream.schemas.errors import UnavailableError

EVERY = 1_000
PARTITIONS = 4  # of the queries


@dataclass(frozen=True)
class Bench:
    """Where pipelines are made."""

    folder: Path
    bootstrap: str
    stream: Stream

    def pipeline(self, partitions: int, window: int, **select: Any) -> Pipeline:
        """Return a new one."""
        return Pipeline(
            self.folder, self.bootstrap, self.stream, partitions, window={"size": window}, **select
        )


def rebuilds(bench: Bench, window: int, rounds: int) -> list[dict[str, Any]]:
    """Kill the stage and start it again, over and over; return how long each start took.

    Each start has a round due as soon as its window stands, and a query that waits. A start of a pipeline
    with nothing to rebuild, in turn with the others, says what a start costs anyway.
    """
    full = bench.pipeline(1, window)
    full.write(window + window // 5)
    with full.running() as running:
        full.settle()
        running.processes["select"].kill()
    return [
        {
            "rows": window,
            "full": _start(full, f"full-{number}"),
            "empty": _start(bench.pipeline(1, window), f"empty-{number}"),
        }
        for number in range(rounds)
    ]


def _start(pipeline: Pipeline, name: str) -> dict[str, float]:
    """Start a killed stage; return seconds to its first choice and to its answer to the query, and CPU."""
    pipeline.write(EVERY)
    pipeline.ask(Query(query_id=name, budget=1, timeout=600))
    with heard(pipeline) as ear:
        began = time.time()
        with pipeline.running() as running:
            process = running.processes["select"]

            def is_back() -> bool:
                ear.listen()
                return bool(ear.choices and ear.offers)

            wait_for(is_back, "the window")
            cpu = cpu_seconds(process)
            pipeline.settle()
            process.kill()
    return {"choice": ear.times[0] - began, "offer": ear.offers[0] - began, "cpu": cpu}


def passages(bench: Bench, window: int, samples: int, rounds: int) -> list[dict[str, float]]:
    """Let one process work off a partition; return samples a second and CPU of it, from a full window on."""
    return [_passage(bench.pipeline(1, window), min(window, samples // 2), samples) for _ in range(rounds)]


def _passage(pipeline: Pipeline, first: int, samples: int) -> dict[str, float]:
    pipeline.write(samples)
    last = pipeline.samples // EVERY * EVERY
    with heard(pipeline) as ear, pipeline.running() as running:
        process = running.processes["select"]
        began = _reached(ear, EVERY), cpu_seconds(process)
        full = _reached(ear, first), cpu_seconds(process)
        ended = _reached(ear, last), cpu_seconds(process)
        peak = running.usage()["select"].peak_bytes
    wall, cpu = ended[0][1] - full[0][1], ended[1] - full[1]
    done = ended[0][0] - full[0][0]
    return {
        "samples": done, "wall": wall, "cpu": cpu, "per_s": done / wall, "per_cpu_s": done / cpu,
        "per_s_in_all": (ended[0][0] - began[0][0]) / (ended[0][1] - began[0][1]), "peak": peak,
    }  # fmt: skip


def _reached(ear: Ear, seen: int) -> tuple[int, float]:
    """Wait for the round at a place or a later one; return the newest round's place and time."""

    def is_there() -> bool:
        ear.listen()
        return ear.seen >= seen

    wait_for(is_there, f"round at {seen:,}")
    return ear.choices[-1].seen, ear.times[-1]


def queries(bench: Bench, strategy: str, size: int, budget: int, limit: float) -> dict[str, Any]:
    """Ask for so many of the samples in all partitions; return seconds to the answer, or why none."""
    with _filled(bench, size) as (pipeline, running):
        process = running.processes["select"]
        with Client(bench.bootstrap, pipeline=pipeline.name) as client:
            client.query(1, "random")  # connected, and what is imported late is there
            cpu, began = cpu_seconds(process), time.perf_counter()
            try:
                answer = client.query(budget, strategy, timeout=limit)
            except UnavailableError as error:
                return {"strategy": strategy, "ended": str(error)}
            seconds = time.perf_counter() - began
            return {
                "strategy": strategy, "seconds": seconds, "cpu": cpu_seconds(process) - cpu,
                "chosen": len(answer), "free": answer.free,
            }  # fmt: skip


@contextmanager
def _filled(bench: Bench, size: int) -> Generator[tuple[Pipeline, Running]]:
    """Give a pipeline of which all windows are full, and no round ever chooses."""
    each = -(-size // PARTITIONS)
    pipeline = bench.pipeline(PARTITIONS, 2 * each, trigger={"every": None})
    pipeline.write(each)
    with pipeline.running() as running:
        pipeline.settle()
        yield pipeline, running
