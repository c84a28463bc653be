"""The timeline of several trainers: how often a version comes, and how long annotators wait meanwhile.

`python -m benchmarks.trainers` runs the real stages (consensus, select, trainers with their claims) on a
local broker, for 1, 2, 3 and 4 trainers and in synchronous mode. Training takes a set time, three times that
of an answer, and no CPU (benchmarks/timeline/padded.py says why). Prints a table and each timeline, `.` an
answer and `V` a version; `--json FILE` also writes every figure, `--folder` keeps the logs.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.timeline.case import Outcome, Plan, run
from siftstream.streams.broker import LocalBroker


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trainers", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--label", type=float, default=0.5, help="seconds of an answer")
    parser.add_argument("--times", type=float, default=3.0, help="training time, in answers")
    parser.add_argument("--queries", type=int, default=40, help="answers in all, of each case")
    parser.add_argument("--annotators", type=int, default=1)
    parser.add_argument("--synchronous", type=int, default=1, help="trainers of that case; 0: without it")
    parser.add_argument("--folder", type=Path, metavar="FOLDER", help="where files go; none: a temporary one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where all figures go")
    return parser.parse_args(words)


def table(outcomes: Sequence[Outcome]) -> Table:
    """Return the figures as a table."""
    made = Table(title="Versions for each answered query, and annotators' waits in ms")
    for name in ("mode", "trainers", "queries", "versions", "versions a query", "p50", "p99", "max"):
        made.add_column(name, justify="left" if name == "mode" else "right")
    for one in outcomes:
        waits = [f"{1e3 * one.wait(percent):,.0f}" for percent in (50, 99, 100)]
        counts = [str(one.trainers), str(one.queries), str(one.versions), f"{one.per_query:.2f}"]
        made.add_row(one.mode, *counts, *waits)
    return made


def main(words: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Measure, print, and return the figures."""
    asked = arguments(words)
    console = Console(highlight=False, width=None if Console().is_terminal else 140)
    plan = Plan(asked.label, asked.label * asked.times, asked.queries, asked.annotators)
    cases = [(count, "asynchronous") for count in asked.trainers]
    cases += [(asked.synchronous, "synchronous")] if asked.synchronous else []
    outcomes: list[Outcome] = []
    with (
        tempfile.TemporaryDirectory(prefix="siftstream-bench-") as place,
        console.status("") as status,
        LocalBroker(tell=status.update) as broker,
    ):
        for count, mode in cases:
            status.update(f"{count} trainers, {mode}")
            outcomes.append(run(asked.folder or Path(place), broker.bootstrap, count, mode, plan))
    console.print(table(outcomes))
    for one in outcomes:
        console.print(f"{one.mode:>12} {one.trainers}: {one.timeline}", soft_wrap=True)
    console.print(f"an answer {plan.label:g} s, a training {plan.train:g} s, load {os.getloadavg()}")
    figures = [one.as_json for one in outcomes]
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return figures


if __name__ == "__main__":
    main()
