"""The whole run: the contest, then the parts that stand alone, then tables, JSON and the picture."""

import json
import platform
import sys
from dataclasses import asdict, dataclass, field
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from siftstream.bench.contest import Figures, Result, contest, require, said
from siftstream.bench.kafka_alone import kafka_alone
from siftstream.bench.options import ALONE, Options
from siftstream.bench.picture import draw
from siftstream.bench.tables import fits, tables
from siftstream.bench.ways import limits, ways
from siftstream.bench.workbench import Tell, Workbench, cores, workbench

BUSY = 0.25  # of the cores, by others, before we begin: from here on the figures say little
WARM, DIM = 8000, 512  # samples whose bytes go through the broker first, and their embedding


@dataclass
class Report:
    """What was measured."""

    options: Options
    machine: Figures
    results: list[Result] = field(default_factory=list[Result])
    limits: dict[str, list[Figures]] = field(default_factory=dict[str, list[Figures]])
    alone: dict[str, Figures] = field(default_factory=dict[str, Figures])
    failures: dict[str, str] = field(default_factory=dict[str, str])

    def as_json(self) -> Figures:
        """Return all of it as plain values; `docs/bench.md` says what each means."""
        grown = [result for result in self.results if result.way.part == "growth" and result.rounds]
        return {
            "machine": self.machine,
            "options": {
                k: str(v) if isinstance(v, Path) else v for k, v in asdict(self.options).items()
            },
            "limits": self.limits,
            "results": [result.as_json() for result in self.results],
            "fits": {name: asdict(line) for name, line in fits(grown).items()} if len(grown) > 1 else {},
            "alone": self.alone,
            "failures": self.failures,
        }  # fmt: skip


def run(options: Options, tell: Tell) -> Report:
    """Measure every part that was asked for; what fails is told and noted in the report.

    Raises:
        SiftError: nothing can be measured: no broker, no pictures, no raw limit.
    """
    report = Report(options, machine())
    if report.machine["busy"] > BUSY:
        tell(f"others keep {100 * report.machine['busy']:.0f} % of the cores busy: measure on idle ones")
    with workbench(options, tell) as bench:
        chosen = list(ways(bench))
        if chosen:
            warm(bench)
            report.results, report.limits = contest(chosen, limits(bench), options.rounds, tell)
            require(report.results)
        for part in options.parts:
            if part in ALONE:
                _stand_alone(bench, part, report)
    return report


def warm(bench: Workbench) -> None:
    """Let the broker's JVM compile what it runs often: a running cluster's has long done so."""
    kafka_alone(bench, bench.model, DIM, min(WARM, bench.options.count))


def _stand_alone(bench: Workbench, part: str, report: Report) -> None:
    """Measure a part whose module has a function of its own name."""
    try:
        report.alone[part] = getattr(import_module(f"siftstream.bench.{part}"), part)(bench)
    except Exception as error:  # whatever it is: the other parts are to be measured all the same
        report.failures[part] = said(error)
        bench.tell(f"{part}: not measured: {report.failures[part]}")


def show(report: Report, console: Console) -> None:
    """Print every table, and why something is missing in them."""
    for result in report.results:
        for reason in dict.fromkeys(result.failures):
            console.print(f"{result.way.name}: not measured: {reason}", style="red", markup=False)
    for table in tables(report.results, report.limits) if report.results else ():
        console.print(table)
    for part, figures in report.alone.items():
        lines: list[str] = import_module(f"siftstream.bench.{part}").table(figures)
        console.print(f"\n{part}", style="italic")
        for line in lines:
            console.print(line, markup=False)
    for part, reason in report.failures.items():
        console.print(f"{part}: not measured: {reason}", style="red", markup=False)


def save(report: Report) -> list[Path]:
    """Write the JSON and the picture where they were asked for; return the files."""
    options, written = report.options, list[Path]()
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report.as_json(), indent=2) + "\n", encoding="utf-8")
        written.append(options.out)
    if options.picture is not None and report.results:
        draw(report.results, options.picture)
        written.append(options.picture)
    return written


def machine() -> dict[str, Any]:
    """Return what the figures hold for, and how busy the cores are before the run."""
    return {
        "cores": cores(), "processor": platform.processor() or platform.machine(),
        "system": platform.platform(), "python": sys.version.split()[0],
        "siftstream": version("siftstream"), "busy": psutil.cpu_percent(interval=1.0) / 100,
    }  # fmt: skip
