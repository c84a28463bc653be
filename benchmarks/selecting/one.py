"""One partition in a process of its own.

`python -m benchmarks.selecting.one FILE WINDOW STRATEGY SAMPLES LIMIT`: FILE holds the pool of rows. The
window is filled as after a restart, from encoded records and with what was chosen before; then SAMPLES more
come through, with their rounds, or as many as come in LIMIT seconds. The last line of the output is JSON:
wall and CPU seconds of each part, of each round, of the filling; memory.
"""

import gc
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa

from benchmarks.selecting.stream import CLASSES, UNTRAINED, Stream, chosen_before, records
from siftstream.agents.select.candidates import Known
from siftstream.agents.select.ids import Ids
from siftstream.agents.select.memory import Memory
from siftstream.agents.select.rounds import Rounds
from siftstream.agents.select.settings import SelectSettings
from siftstream.agents.select.shelf import Shelf
from siftstream.bench.memory import forget_peak, peak_bytes
from siftstream.schemas import Scores, Trigger

NOW = 2e9


class Times:
    """Wall and CPU seconds by part, and of each single round."""

    def __init__(self) -> None:
        self.wall: defaultdict[str, float] = defaultdict(float)
        self.cpu: defaultdict[str, float] = defaultdict(float)
        self.rounds: list[tuple[float, float]] = []

    @contextmanager
    def part(self, name: str) -> Generator[None]:
        """Count a block."""
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        self.wall[name] += wall
        self.cpu[name] += cpu
        if name == "round":
            self.rounds.append((wall, cpu))


class Life:
    """One life of a partition, fed by hand as the stage does it."""

    def __init__(self, stream: Stream, settings: SelectSettings, before: int) -> None:
        """Args: the records; the stage's settings; samples that an earlier life had taken in."""
        self._stream, self._next = stream, 0
        self.times = Times()
        self.chose: Counter[str] = Counter()
        memory = Memory(head=records(before) - 1)
        self.shelf = Shelf(Rounds(settings, CLASSES, UNTRAINED), 0, 1, memory=memory)
        every = settings.trigger.every or before + 1
        with self.times.part("learn"):
            for one in chosen_before(before, every, settings.budget.per_round):
                self.shelf.learn(one.sample_id, one)
        self.shelf.begin(Ids())
        while not self.shelf.ready:
            self.record()

    def record(self) -> int:
        """Take in the next record, with every round that falls due; return its samples."""
        times, shelf, offset = self.times, self.shelf, self._next
        value = self._stream.value(offset)
        with times.part("decode"):
            batch = Scores.decode(value)
        row = 0
        while row < len(batch):
            with times.part("append"):
                row = shelf.append(offset, batch, row)
                shelf.look()
                due = shelf.due()
            for trigger in due:
                self._round(trigger)
        with times.part("commit"):
            shelf.floor()[1].encode()
        self._next += 1
        return len(batch)

    def _round(self, trigger: Trigger) -> None:
        with self.times.part("round"):
            known = Known(rounds=self.shelf.chosen.rounds, classes=CLASSES)
            held = self.shelf.hold(trigger, NOW, known)
        with self.times.part("note"):
            for one in held.chosen:
                one.encode()
            self.shelf.note(held.chosen)
        self.chose.update(f"{one.reason}: {one.strategy}" for one in held.chosen)


def measured(stream: Stream, settings: SelectSettings, samples: int, limit: float) -> dict[str, Any]:
    """Fill the window, then let samples through; return the figures."""
    process = psutil.Process()
    gc.collect()
    forget_peak(process)
    before, texts = process.memory_info().rss, pa.total_allocated_bytes()
    window = settings.window.size
    life = Life(stream, settings, records(window) * (len(Scores.decode(stream.value(0)))))
    gc.collect()
    pa.default_memory_pool().release_unused()
    filled, life.times = life.times, Times()
    memory = {
        "rows": len(life.shelf.window),
        "rss": process.memory_info().rss - before,
        "arrays": sum(a.nbytes for a in vars(life.shelf.window).values() if isinstance(a, np.ndarray)),
        "texts": pa.total_allocated_bytes() - texts,
    }
    done, until = 0, time.perf_counter() + limit
    while done < samples and time.perf_counter() < until:
        done += life.record()
    return {
        "samples": done, "filled": memory["rows"], "chose": life.chose,
        "parts": life.times.wall, "cpu": life.times.cpu, "rounds": life.times.rounds,
        "fill": filled.wall, "fill_cpu": filled.cpu,
        "memory": {**memory, "peak": peak_bytes(process) - before, "process": peak_bytes(process)},
    }  # fmt: skip


def main() -> None:
    """Measure one partition and print it."""
    file, window, strategy, samples, limit = sys.argv[1:]
    settings = SelectSettings.model_validate({
        "window": {"size": int(window)}, "strategy": {"name": strategy}, "audit": {"fraction": 0.1},
    })  # fmt: skip
    print(json.dumps(measured(Stream(Path(file)), settings, int(samples), float(limit))))


if __name__ == "__main__":
    main()
