"""Time and memory of every acquisition strategy on one made-up window, alone and beside scikit-activeml's.

`python -m benchmarks.strategies` chooses 10,000 of 40,000 samples (10 classes, 10 members, 512 dims in
float16) with each strategy, each in a process of its own, in interleaved rounds; `--peers` runs
scikit-activeml's same strategies beside them, at a smaller size where theirs cannot do this one within the
limits; `--growth` fits how the time grows with the window. A strategy that goes over the limits is reported
so. Prints tables; `--out FOLDER` also writes them as strategies.json.
"""

import argparse
import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.zoo.duels import Tell, duels
from benchmarks.zoo.growth import SIZES, grown
from benchmarks.zoo.made_up import Shape
from benchmarks.zoo.runs import Limits, Runs, Windows, once, windows
from benchmarks.zoo.tables import alone, beside, grows
from siftstream.strategies.registry import strategy_names


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--strategies", nargs="+", metavar="NAME", help="these only, names or {name: ..., ...}; else all"
    )
    parser.add_argument("--size", type=int, default=40_000, help="samples in the window")
    parser.add_argument("--k", type=int, default=10_000, help="samples to choose")
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--members", type=int, default=10, help="members of the head")
    parser.add_argument("--dim", type=int, default=512, help="of the embeddings")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", action="store_true", help="beside scikit-activeml's")
    parser.add_argument("--growth", action="store_true", help="sizes 5,000 to 80,000, k fixed and a fourth")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="of --growth")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds that one selection may take")
    parser.add_argument("--memory", type=float, default=8.0, help="GiB that one selection may take")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where strategies.json goes")
    return parser.parse_args(words)


def measured(
    names: Sequence[str], shape: Shape, kept: Windows, limits: Limits, rounds: int, tell: Tell
) -> list[Runs]:
    """Run every strategy in interleaved rounds."""
    found = [Runs(name, shape) for name in names]
    for number in range(rounds):
        for runs in found:
            tell(f"round {number + 1} of {rounds}: {runs.name}")
            once(runs, kept, limits, number)
    return found


def machine() -> dict[str, Any]:
    """Return what the figures hang on."""
    return {
        "load average at the start": os.getloadavg(), "cores": os.cpu_count(), "machine": platform.machine(),
        "python": platform.python_version(), "numpy": np.__version__,
        "scikit-activeml": version("scikit-activeml"),
    }  # fmt: skip


def main(words: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print, and return the figures."""
    asked = arguments(words)
    names = asked.strategies or strategy_names()
    shape = Shape(asked.size, asked.k, asked.classes, asked.members, asked.dim)
    limits = Limits(asked.limit, int(asked.memory * 2**30))
    console = Console(highlight=False, width=None if Console().is_terminal else 160)
    figures: dict[str, Any] = {"machine": machine(), "limits": vars(limits), "window": vars(shape)}
    with windows() as kept, console.status("") as status:
        runs = measured(names, shape, kept, limits, asked.rounds, status.update)
        figures["alone"] = [one.as_json() for one in runs]
        console.print(alone(runs))
        if asked.peers:
            pairs = duels(names, shape, kept, limits, asked.rounds, status.update)
            figures["beside"] = [duel.as_json() for duel in pairs]
            console.print(beside(pairs))
        if asked.growth:
            found = grown(names, shape, asked.sizes, kept, limits, asked.rounds, status.update)
            figures["growth"] = [one.as_json() for one in found]
            console.print(grows(found))
    console.print(f"limits of one selection: {asked.limit:g} s, {asked.memory:g} GiB; {figures['machine']}")
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        (asked.out / "strategies.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return figures


if __name__ == "__main__":
    main()
