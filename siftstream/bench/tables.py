"""The figures as tables for a terminal."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from siftstream.bench.contest import Figures, Result
from siftstream.bench.statistics import Straight, Three

MB = "{:,.0f}"


def tables(results: Sequence[Result], limits: Mapping[str, Sequence[Figures]]) -> Iterator[Table]:
    """Yield every table that the results fill."""
    yield ratios(results, limits)
    whole = [result for result in results if result.rounds and "stages" in result.rounds[0]]
    if whole:
        yield processor(whole)
        yield stages(whole)
        yield memory(whole)
    grown = [result for result in whole if result.way.part == "growth"]
    if len(grown) > 1:
        yield growth(grown)


def ratios(results: Sequence[Result], limits: Mapping[str, Sequence[Figures]]) -> Table:
    """Every way as a share of the raw limit of its model (the bold rows, which vary around their median)."""
    table = Table(title="Share of ONNX Runtime alone: median (minimum to maximum)", title_justify="left")
    table.add_column("way", no_wrap=True)
    for name in ("share", "samples/s", "rounds"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, runs in limits.items():
        rate = Three.of([run["samples_a_second"] for run in runs])
        spread = f"1.00 ({rate.low / rate.median:.2f} to {rate.high / rate.median:.2f})"
        table.add_row(name, spread, f"{rate.median:,.0f}", str(len(runs)), style="bold")
    for result in results:
        ratio, rate = result.ratio, result.rate
        if ratio is None or rate is None:
            table.add_row(result.way.name, "not measured", "-", "0", style="red")
        else:
            rounds = str(len(result.rounds))
            table.add_row(result.way.name, str(ratio), f"{rate.median:,.0f}", rounds)
    return table


def processor(whole: Sequence[Result]) -> Table:
    """CPU microseconds a sample of each process (replicas together), and what their sum allows."""
    table = Table(title="CPU microseconds a sample, after the warm-up (medians)", title_justify="left")
    names = processes(whole, "cpu_us")
    table.add_column("line", no_wrap=True)
    for name in (*names, "sum", "ceiling/s", "reached"):
        table.add_column(name, justify="right", no_wrap=True)
    for result in whole:
        spent = [of_process(result, "cpu_us", name, sum) for name in names]
        total, ceiling = middle(result, "cpu_us_sum"), middle(result, "ceiling")
        reached = statistics.median(f["samples_a_second"] / f["ceiling"] for f in result.rounds)
        cells = [shown(one) for one in (*spent, total, ceiling)]
        table.add_row(result.way.name, *cells, f"{reached:.2f}")
    return table


def stages(whole: Sequence[Result]) -> Table:
    """Each stage's own rate, the cores it kept busy, and its share of waiting."""
    table = Table(
        title="Each stage: own samples/s (10 % to 90 % of them) | cores busy | waiting", title_justify="left"
    )
    table.add_column("line", no_wrap=True)
    names = list(whole[0].rounds[0]["stages"])
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for result in whole:
        cells: list[str] = []
        for name in names:
            own, busy, idle = (
                middle(result, "stages", name, key) for key in ("samples_a_second", "cores", "waiting")
            )
            cells.append(f"{shown(own)} | {busy or 0:.2f} | {100 * (idle or 0):.0f} %")
        table.add_row(result.way.name, *cells)
    return table


def memory(whole: Sequence[Result]) -> Table:
    """The most memory of each process after the warm-up; of replicas, the largest."""
    table = Table(title="Peak memory in MB, after the warm-up (medians)", title_justify="left")
    names = processes(whole, "peak_mb")
    table.add_column("line", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for result in whole:
        table.add_row(result.way.name, *(shown(of_process(result, "peak_mb", name, max)) for name in names))
    return table


def growth(grown: Sequence[Result]) -> Table:
    """What more samples cost: a straight line through the seconds, and through each process's memory."""
    table = Table(title="Least squares over the number of samples", title_justify="left")
    for name in ("what", "each 10,000 more", "at none", "explained"):
        table.add_column(name, justify="right" if name != "what" else "left")
    for name, line in fits(grown).items():
        unit = "s" if name == "seconds" else "MB"
        cells = f"{1e4 * line.slope:,.2f} {unit}", f"{line.base:,.2f} {unit}", f"{line.explained:.4f}"
        table.add_row(name, *cells)
    return table


def fits(grown: Sequence[Result]) -> dict[str, Straight]:
    """Return the straight lines of seconds and of each process's peak memory over the samples."""
    rounds = [figures for result in grown for figures in result.rounds]
    counts = [figures["samples"] for figures in rounds]
    found = {"seconds": Straight.through(counts, [figures["seconds"] for figures in rounds])}
    for name in processes(grown, "peak_mb"):
        having = [(f["samples"], f["peak_mb"][name]) for f in rounds if name in f["peak_mb"]]
        if len({count for count, _ in having}) > 1:
            xs, ys = zip(*having, strict=True)
            found[f"memory of {name}"] = Straight.through(xs, ys)
    return found


def processes(whole: Sequence[Result], what: str) -> list[str]:
    """Return the names of all processes, replicas under one, in the order in which they were met."""
    return list(dict.fromkeys(bare(name) for result in whole for f in result.rounds for name in f[what]))


def bare(process: str) -> str:
    """Return a process's name without the number of the replica.

    >>> bare("infer-1"), bare("broker")
    ('infer', 'broker')
    """
    return process.partition("-")[0]


def of_process(result: Result, what: str, name: str, join: Callable[[list[float]], float]) -> float | None:
    """Return the median over the rounds of what the replicas of a process have together."""
    rounds = [[value for key, value in f[what].items() if bare(key) == name] for f in result.rounds]
    found = [join(values) for values in rounds if values]
    return statistics.median(found) if found else None


def middle(result: Result, *path: str) -> float | None:
    """Return the median over the rounds of the figure at a path; none where it is missing."""
    found = [value for figures in result.rounds if (value := at(figures, path)) is not None]
    return statistics.median(found) if found else None


def at(figures: Mapping[str, Any], path: Sequence[str]) -> float | None:
    """Return the figure at a path."""
    value: Any = figures
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def shown(value: float | None) -> str:
    """Return a figure for a cell."""
    return "-" if value is None else f"{value:,.0f}"
