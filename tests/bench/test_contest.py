"""Ways in turn: held against the limit around them, a failing one told, statistics of the rounds."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from siftstream.bench.contest import Figures, Way, contest, require
from siftstream.bench.failed import BenchFailed
from siftstream.bench.options import Options
from siftstream.bench.picture import draw
from siftstream.bench.reading import Row
from siftstream.bench.span import rate_within
from siftstream.bench.statistics import Straight, Three
from siftstream.bench.suite import Report, save, show
from siftstream.bench.tables import fits


def speeds(*values: float) -> Callable[[], Figures]:
    """What measures these samples a second, one after the other."""
    left: Iterator[float] = iter(values)
    return lambda: {"samples_a_second": next(left)}


def line_figures(count: int, seconds: float, mb: float) -> Figures:
    """The figures of a line, as `whole_line` returns them."""
    stage = {"samples_a_second": 9.0, "cores": 0.5, "waiting": 0.5}
    return {
        "samples": count, "seconds": seconds, "samples_a_second": count / seconds, "cpu_us": {"infer": 600.0},
        "cpu_us_sum": 600.0, "ceiling": 3000.0, "peak_mb": {"infer": mb},
        "stages": {"fetch": stage, "infer": {**stage, "samples_a_second": None}, "select": stage},
    }  # fmt: skip


def test_a_way_is_held_against_the_mean_of_the_limit_before_and_after_it() -> None:
    ways = [Way("line", "a", "limit", speeds(90.0, 40.0)), Way("line", "b", "limit", speeds(150.0, 30.0))]
    results, limits = contest(ways, {"limit": speeds(100, 200, 300, 50, 50, 70)}, 2, lambda line: None)
    assert [figures["ratio"] for figures in results[0].rounds] == [90 / 150, 40 / 50]
    assert [figures["ratio"] for figures in results[1].rounds] == [150 / 250, 30 / 60]
    assert [figures["samples_a_second"] for figures in limits["limit"]] == [100, 200, 300, 50, 50, 70]


def test_each_model_has_a_limit_of_its_own() -> None:
    ways = [Way("line", "small", "32", speeds(50.0)), Way("line", "large", "224", speeds(5.0))]
    results, _ = contest(ways, {"32": speeds(100, 100), "224": speeds(10, 10)}, 1, lambda line: None)
    assert [str(result.ratio) for result in results] == ["0.50 (0.50 to 0.50)"] * 2


def test_a_way_that_fails_is_told_and_the_others_are_measured() -> None:
    def fails() -> Figures:
        raise BenchFailed("no network")

    told: list[str] = []
    ways = [Way("others", "modAL", "limit", fails), Way("line", "ours", "limit", speeds(8.0))]
    results, _ = contest(ways, {"limit": speeds(10, 10)}, 1, told.append)
    assert results[0].failures == ["no network"]
    assert results[0].ratio is None
    assert results[1].ratio == Three(0.8, 0.8, 0.8)
    assert told[0] == "modAL: not measured: no network"


def test_a_contest_in_which_all_fails_is_refused_with_the_first_reason() -> None:
    results, _ = contest([Way("line", "a", "l", lambda: 1 // 0)], {"l": speeds(1)}, 1, lambda line: None)  # type: ignore[return-value]
    with pytest.raises(BenchFailed, match="ZeroDivisionError"):
        require(results)


def test_a_straight_line_is_found_through_noise() -> None:
    line = Straight.through([0, 1, 2, 3], [1.0, 3.1, 4.9, 7.0])
    assert line.slope == pytest.approx(1.98)
    assert line.base == pytest.approx(1.03)
    assert 0.99 < line.explained < 1.0


def test_a_rate_leaves_out_the_first_and_the_last_tenth() -> None:
    rows = [Row(at, ("id",) * 10) for at in (0.0, 5.0, 5.5, 6.0, 6.5, 7.0, 7.5, 8.0, 8.5, 60.0)]
    assert rate_within(rows) == pytest.approx(80 / 8.5)
    assert rate_within(rows[:1]) is None


def test_growth_is_fitted_and_the_report_is_plain_json(tmp_path: Path) -> None:
    counts = (100, 200, 400)
    ways = [
        Way("growth", f"{n} samples", "l", lambda n=n: line_figures(n, n / 100 + 1, 250.0)) for n in counts
    ]
    results, limits = contest(ways, {"l": speeds(*[100.0] * 9)}, 2, lambda line: None)
    found = fits(results)
    assert found["seconds"].slope == pytest.approx(0.01)
    assert found["memory of infer"].slope == pytest.approx(0.0)
    options = Options(out=tmp_path / "deep" / "b.json", picture=tmp_path / "b.png")
    report = Report(options, {"cores": 2}, results, limits)
    assert save(report) == [options.out, options.picture]
    told = json.loads((tmp_path / "deep" / "b.json").read_text())
    assert set(told) == {"machine", "options", "limits", "results", "fits", "alone", "failures"}
    assert told["results"][0]["ratio"] == {"low": 0.5, "median": 0.5, "high": 0.5}
    assert told["fits"]["seconds"]["explained"] == pytest.approx(1.0)
    assert (tmp_path / "b.png").stat().st_size > 1000


def test_the_tables_show_every_way_and_why_one_is_missing() -> None:
    def fails() -> Figures:
        raise BenchFailed("no torch here")

    ways = [
        Way("line", "siftstream, bulk", "l", lambda: line_figures(100, 1.0, 99.0)),
        Way("others", "DataLoader", "l", fails),
    ]
    results, limits = contest(ways, {"l": speeds(200, 200)}, 1, lambda line: None)
    console = Console(width=130, file=io.StringIO(), record=True)
    show(Report(Options(), {}, results, limits), console)
    text = console.export_text()
    assert "DataLoader: not measured: no torch here" in text
    assert "0.50 (0.50 to 0.50)" in text
    assert "3,000" in text  # the ceiling


def test_the_picture_has_a_panel_for_the_batch_sizes(tmp_path: Path) -> None:
    def batch(size: int) -> Figures:
        return {**line_figures(100, 1.0, 9.0), "batch": size, "scheme": "file"}

    ways = [Way("batch", f"file: batch {n}", "l", lambda n=n: batch(n)) for n in (1, 2)]
    results, _ = contest(ways, {"l": speeds(*[200.0] * 3)}, 1, lambda line: None)
    draw(results, tmp_path / "p.svg")
    assert (tmp_path / "p.svg").read_text().count("<use ") > 40  # letters of a title and ticks
