"""What the select stage costs: samples a second, rounds, memory, coming back after a kill, answering a query.

`python -m benchmarks.select` measures one partition alone, each strategy and window in a process of its own
with one thread, in interleaved rounds (parts `through`, `memory`), and the stage as it runs on a local broker
(`rebuild`, `stage`, `query`). CPU time stands beside the clock's, since other work on the machine moves only
that much. Prints tables; `--json FILE` also writes every figure.
"""

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.selecting.cases import lives
from benchmarks.selecting.live import Bench, passages, queries, rebuilds
from benchmarks.selecting.stream import Stream
from benchmarks.selecting.tables import answered, memory, passed, rebuilt, refilled, through
from benchmarks.zoo.made_up import Shape, write
from siftstream.streams.broker import LocalBroker

PARTS = ("through", "memory", "rebuild", "stage", "query")
STRATEGIES = (
    "margin", "entropy", "least_confidence", "ratio", "random", "two_stage", "k_center", "badge", "typiclust",
)  # fmt: skip
WINDOWS = (10_000, 100_000, 1_000_000)
POOL = 16_384  # rows that differ; ids always do


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--windows", type=int, nargs="+", default=list(WINDOWS), help="rows, of `through`")
    parser.add_argument("--strategies", nargs="+", metavar="NAME", default=list(STRATEGIES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {','.join(PARTS)}")
    parser.add_argument("--samples", type=int, default=200_000, help="that come through a full window")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds for them, in which fewer may come")
    parser.add_argument("--dim", type=int, default=512, help="of the embeddings")
    parser.add_argument("--members", type=int, default=1, help="of the head; 10 classes")
    parser.add_argument("--window", type=int, default=100_000, help="rows, of `rebuild` and `stage`")
    parser.add_argument("--size", type=int, default=40_000, help="samples that a query chooses from")
    parser.add_argument("--budget", type=int, default=10_000, help="samples that it asks for")
    parser.add_argument("--asked", nargs="+", metavar="NAME", default=["margin", "badge"], help="by a query")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for its answer")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where all figures go")
    found = parser.parse_args(words)
    found.parts = found.parts.split(",")
    if unknown := set(found.parts) - set(PARTS):
        parser.error(f"--parts: {', '.join(sorted(unknown))} unknown; of {','.join(PARTS)}")
    return found


def alone(asked: argparse.Namespace, pool: Path, console: Console, tell: Callable[[str], None]) -> Any:
    """Measure partitions in processes of their own."""
    strategies = asked.strategies if "through" in asked.parts else asked.strategies[:1]
    samples = asked.samples if "through" in asked.parts else 1
    cases = lives(strategies, asked.windows, pool, asked.rounds, samples, asked.limit, tell)
    if "through" in asked.parts:
        console.print(through(cases))
        console.print(refilled(cases))
    if "memory" in asked.parts:
        console.print(memory(cases))
    return [case.as_json for case in cases]


def on_broker(asked: argparse.Namespace, bench: Bench, console: Console, tell: Callable[[str], None]) -> Any:
    """Measure the stage as it runs."""
    figures: dict[str, Any] = {}
    if "rebuild" in asked.parts:
        tell("select is killed and started again")
        figures["rebuild"] = rebuilds(bench, asked.window, asked.rounds)
        console.print(rebuilt(figures["rebuild"]))
    if "stage" in asked.parts:
        tell("select works off a partition")
        figures["stage"] = passages(bench, asked.window, max(asked.samples, 2 * asked.window), asked.rounds)
        console.print(passed(figures["stage"]))
    if "query" in asked.parts:
        tell("queries")
        names = list(asked.asked) * asked.rounds
        figures["query"] = [queries(bench, name, asked.size, asked.budget, asked.timeout) for name in names]
        console.print(answered(figures["query"]))
    return figures


def machine() -> dict[str, Any]:
    """Return what the figures hang on."""
    return {
        "load average at the start": os.getloadavg(), "cores": os.cpu_count(), "machine": platform.machine(),
        "python": platform.python_version(), "numpy": np.__version__,
    }  # fmt: skip


def main(words: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print, and return the figures."""
    asked = arguments(words)
    console = Console(highlight=False, width=None if Console().is_terminal else 160)
    figures: dict[str, Any] = {"machine": machine(), "asked": {k: str(v) for k, v in vars(asked).items()}}
    with tempfile.TemporaryDirectory(prefix="siftstream-bench-") as place, console.status("") as status:
        folder = Path(place)
        write(folder / "pool.npz", Shape(POOL, 1, members=asked.members, dim=asked.dim))
        if {"through", "memory"} & set(asked.parts):
            figures["alone"] = alone(asked, folder / "pool.npz", console, status.update)
        if {"rebuild", "stage", "query"} & set(asked.parts):
            with LocalBroker(tell=status.update) as broker:
                bench = Bench(folder, broker.bootstrap, Stream(folder / "pool.npz"))
                figures |= on_broker(asked, bench, console, status.update)
    figures["machine"]["load average at the end"] = os.getloadavg()
    console.print(figures["machine"])
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return figures


if __name__ == "__main__":
    main()
