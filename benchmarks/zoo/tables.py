"""The figures as tables for a terminal: minimum, median and maximum of everything."""

from collections.abc import Sequence

from rich.table import Table

from benchmarks.zoo.duels import Duel
from benchmarks.zoo.growth import Grown
from benchmarks.zoo.peers import PEERS
from benchmarks.zoo.runs import Runs
from siftstream.bench.statistics import Three


def alone(runs: Sequence[Runs]) -> Table:
    """Time and memory of every strategy of ours."""
    shape = runs[0].shape
    table = table_of(
        f"{shape.k:,} of {shape.size:,}: {shape.classes} classes, {shape.members} members, {shape.dim} dims",
        ("strategy",), ("ms: median (least to most)", "MiB above the window", "rounds"),
    )  # fmt: skip
    for one in runs:
        style = "red" if one.ended else ""
        table.add_row(one.name, _time(one), _memory(one), one.ended or str(len(one.seconds)), style=style)
    return table


def beside(found: Sequence[Duel]) -> Table:
    """Each strategy that scikit-activeml has too: how many times our time and memory theirs takes."""
    table = table_of(
        "scikit-activeml in the same run",
        ("strategy", "theirs", "size"),
        ("ours ms", "theirs ms", "theirs / ours: time", "memory", "at larger sizes theirs was"),
    )
    for duel in found:
        shape, ratio, memory = duel.ours.shape, duel.ratio, duel.memory
        table.add_row(
            duel.ours.name, PEERS[duel.ours.name][0], f"{shape.k:,} of {shape.size:,}",
            _time(duel.ours), _time(duel.theirs) if duel.theirs.seconds else duel.theirs.ended,
            _three(ratio) if ratio else "-",
            f"{memory:,.1f}" if memory else "-",
            "; ".join(f"{one.shape.k:,} of {one.shape.size:,} {one.ended}" for one in duel.tried) or "-",
        )  # fmt: skip
    return table


def grows(found: Sequence[Grown]) -> Table:
    """The exponent of B in the time, beside the promise; times are the least of the rounds."""
    sizes = [runs.shape.size for runs in found[0].at]
    table = table_of(
        "growth of time with the window", ("strategy", "k"),
        (*(f"{size:,}: ms" for size in sizes), "exponent", "promised", "verdict"),
    )  # fmt: skip
    for one in found:
        cells = [f"{1e3 * min(runs.seconds):,.1f}" if runs.seconds else runs.ended for runs in one.at]
        exponent = "-" if one.exponent is None else f"{one.exponent:.2f}"
        k = "B/4" if one.growing else f"{one.at[0].shape.k:,}"
        style = "" if one.verdict == "within" else "red"
        table.add_row(one.name, k, *cells, exponent, f"{one.promised:.0f}", one.verdict, style=style)
    return table


def table_of(title: str, left: Sequence[str], right: Sequence[str]) -> Table:
    """Return an empty table: columns of words, then columns of numbers."""
    table = Table(title=title, title_justify="left")
    for name in left:
        table.add_column(name, no_wrap=True)
    for name in right:
        table.add_column(name, justify="right")
    return table


def _time(runs: Runs) -> str:
    if runs.time is None:
        return "-"
    return _three(Three.of([1e3 * seconds for seconds in runs.seconds]))


def _memory(runs: Runs) -> str:
    return "-" if runs.memory is None else f"{runs.memory.median / 2**20:,.0f}"


def _three(three: Three) -> str:
    if three.low == three.high:
        return f"{three.median:,.1f}"
    return f"{three.median:,.1f} ({three.low:,.1f} to {three.high:,.1f})"
