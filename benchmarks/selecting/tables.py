"""The figures as tables for a terminal: medians, with minimum and maximum where rounds differ."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from benchmarks.selecting.cases import Case
from benchmarks.zoo.tables import table_of
from siftstream.bench.statistics import Three

MIB = 2**20


def through(cases: Sequence[Case]) -> Table:
    """What one core takes in, and what it is busy with."""
    table = table_of(
        "one partition, one thread, records in memory", ("strategy", "window"),
        ("samples a second of CPU", "by the clock", "decode", "window", "rounds", "round: CPU ms",
         "by the clock", "slowest", "rounds held"),
    )  # fmt: skip
    for case in cases:
        if not case.lives:
            table.add_row(case.strategy, f"{case.window:,}", case.ended, style="red")
            continue
        cpu, wall = (Three.of([1e3 * seconds for seconds in case.rounds(clock)]) for clock in (1, 0))
        table.add_row(
            case.strategy, f"{case.window:,}", _three(case.rate, ",.0f"), f"{case.wall_rate.median:,.0f}",
            f"{case.share('decode'):.0%}", f"{case.share('append', 'commit'):.0%}",
            f"{case.share('round', 'note'):.0%}", f"{cpu.median:,.1f}", f"{wall.median:,.1f}",
            f"{wall.high:,.0f}", f"{len(case.rounds(0)):,}" + (f"; {case.ended}" if case.ended else ""),
        )  # fmt: skip
    return table


def memory(cases: Sequence[Case]) -> Table:
    """What a window takes."""
    table = table_of(
        "memory of a full window", ("strategy", "window"),
        ("bytes a row", "of them arrays", "texts", "rest", "MiB", "at most, rounds too", "the whole process"),
    )  # fmt: skip
    for case in (case for case in cases if case.lives):

        def of(name: str, case: Case = case) -> float:
            return case.three(lambda life: life["memory"][name]).median

        rows, rest = of("rows"), of("rss") - of("arrays") - of("texts")
        table.add_row(
            case.strategy, f"{case.window:,}",
            *(f"{size / rows:,.0f}" for size in (of("rss"), of("arrays"), of("texts"), rest)),
            *(f"{size / MIB:,.0f}" for size in (of("rss"), of("peak"), of("process"))),
        )  # fmt: skip
    return table


def refilled(cases: Sequence[Case]) -> Table:
    """How long a window takes to come back from encoded records in memory."""
    table = table_of(
        "a window rebuilt from encoded records", ("window",),
        ("s by the clock", "s of CPU", "of it decode", "window", "what was chosen"),
    )  # fmt: skip
    for window in dict.fromkeys(case.window for case in cases if case.lives):
        every = [life for case in cases if case.window == window for life in case.lives]
        cpu = [life["fill_cpu"] for life in every]
        table.add_row(
            f"{window:,}", _three(Three.of([sum(life["fill"].values()) for life in every])),
            _three(Three.of([sum(one.values()) for one in cpu])),
            *(f"{Three.of([one[part] for one in cpu]).median:.2f}" for part in ("decode", "append", "learn")),
        )  # fmt: skip
    return table


def rebuilt(found: Sequence[dict[str, Any]]) -> Table:
    """How long a killed stage takes to come back, beside a start with nothing to rebuild."""
    table = table_of(
        f"select killed with a window of {found[0]['rows']:,}, started again", ("seconds from the start",),
        ("full window", "nothing to rebuild", "the window's part"),
    )  # fmt: skip
    for name, said in (("choice", "to the next round's choice"), ("offer", "to the offer for a query"),
                       ("cpu", "CPU, to both")):  # fmt: skip
        full, empty = ([one[kind][name] for one in found] for kind in ("full", "empty"))
        parts = [a - b for a, b in zip(full, empty, strict=True)]
        table.add_row(said, *(_three(Three.of(values)) for values in (full, empty, parts)))
    return table


def passed(found: Sequence[dict[str, float]]) -> Table:
    """What the whole stage takes in."""
    table = table_of(
        "the select stage on the local broker, margin, window full", ("",), ("median (least to most)",)
    )
    for name, said, style in (
        ("per_s", "samples/s by the clock", ",.0f"), ("per_cpu_s", "samples/s of its CPU", ",.0f"),
        ("per_s_in_all", "samples/s, filling too", ",.0f"),
    ):  # fmt: skip
        table.add_row(said, _three(Three.of([one[name] for one in found]), style))
    table.add_row("MiB at most", f"{max(one['peak'] for one in found) / MIB:,.0f}")
    return table


def answered(found: Sequence[dict[str, Any]]) -> Table:
    """How long an answer takes."""
    table = table_of(
        "a query, over 4 partitions", ("strategy",), ("chosen", "of", "s to the answer", "s of select's CPU")
    )
    for strategy in dict.fromkeys(one["strategy"] for one in found):
        every = [one for one in found if one["strategy"] == strategy]
        mine = [one for one in every if "seconds" in one]
        if not mine:
            table.add_row(strategy, every[0]["ended"], style="red")
            continue
        table.add_row(
            strategy, f"{mine[0]['chosen']:,}", f"{mine[0]['free']:,}",
            *(_three(Three.of([one[name] for one in mine])) for name in ("seconds", "cpu")),
        )  # fmt: skip
    return table


def _three(three: Three, style: str = ",.2f") -> str:
    low, median, high = (format(value, style) for value in (three.low, three.median, three.high))
    return median if low == high else f"{median} ({low} to {high})"
