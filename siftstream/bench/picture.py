"""The figures as one picture: shares of the limit, CPU a sample, and what sweeps there were."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from siftstream.bench.contest import Result
from siftstream.bench.failed import BenchFailed
from siftstream.bench.tables import middle, of_process, processes

INK, OURS, THEIRS = "#333333", "#1f6f8b", "#b0b0b0"
Panel = Callable[[Any, Sequence[Result]], None]


def draw(results: Sequence[Result], file: Path) -> None:
    """Draw and write a PNG or SVG, by the file's name.

    Raises:
        BenchFailed: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BenchFailed("the picture needs matplotlib: pip install 'siftstream[bench]'") from error
    panels = [(panel, chosen) for panel, chosen in chosen_panels(results) if chosen]
    heights = [max(2.5, 0.35 * len(chosen)) for _, chosen in panels]
    figure: Any = Figure(figsize=(9, 1.0 + sum(heights) + 0.8 * len(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(panels), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for axis, (panel, chosen) in zip(axes, panels, strict=True):
        panel(axis, chosen)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)


def chosen_panels(results: Sequence[Result]) -> list[tuple[Panel, list[Result]]]:
    """Return each panel and what it shows."""
    good = [result for result in results if result.rounds]
    compared = [r for r in good if r.way.part in ("limits", "line", "others", "workers")]
    return [
        (shares, [r for r in compared if r.way.name not in ("decoder alone", "Kafka alone")]),
        (
            processor,
            [r for r in compared if "cpu_us_sum" in r.rounds[0] and r.way.limit == good[0].way.limit],
        ),
        (batches, [r for r in good if r.way.part in ("batch", "sources")]),
        (growth, [r for r in good if r.way.part == "growth"]),
    ]


def shares(axis: Any, results: Sequence[Result]) -> None:
    """Bars of the share of ONNX Runtime alone, from minimum to maximum."""
    ordered = sorted(results, key=lambda result: result.ratio.median if result.ratio else 0)
    for place, result in enumerate(ordered):
        ratio = result.ratio
        assert ratio is not None
        colour = THEIRS if result.way.part in ("others", "limits") else OURS
        reach = [[ratio.median - ratio.low], [ratio.high - ratio.median]]
        axis.barh(place, ratio.median, color=colour, xerr=reach, ecolor=INK, capsize=3)
        axis.text(ratio.high + 0.01, place, f" {ratio.median:.2f}", va="center", fontsize=8)
    axis.axvline(1.0, color=INK, linewidth=0.8)
    axis.set_yticks(range(len(ordered)), [result.way.name for result in ordered], fontsize=8)
    axis.set_title("Speed as a share of ONNX Runtime alone, in the same run", fontsize=10, loc="left")


def processor(axis: Any, results: Sequence[Result]) -> None:
    """Stacked bars of CPU microseconds a sample, by process."""
    names = processes(results, "cpu_us")
    for place, result in enumerate(results):
        left = 0.0
        for number, name in enumerate(names):
            spent = of_process(result, "cpu_us", name, sum) or 0.0
            label = name if place == 0 else None
            axis.barh(place, spent, left=left, color=f"C{number}", label=label)
            left += spent
    axis.set_yticks(range(len(results)), [result.way.name for result in results], fontsize=8)
    axis.legend(fontsize=7, ncols=len(names), loc="upper center", bbox_to_anchor=(0.5, -0.12), frameon=False)
    axis.set_title("CPU microseconds a sample, by process", fontsize=10, loc="left")


def batches(axis: Any, results: Sequence[Result]) -> None:
    """Samples a second over the batch size, a line a source."""
    for scheme in dict.fromkeys(result.rounds[0]["scheme"] for result in results):
        ours = [result for result in results if result.rounds[0]["scheme"] == scheme]
        sizes = [result.rounds[0]["batch"] for result in ours]
        axis.plot(sizes, [middle(result, "ratio") for result in ours], marker="o", label=f"{scheme}:")
    axis.set_xscale("log", base=2)
    axis.legend(fontsize=8)
    axis.set_title("Share of ONNX Runtime alone, by batch size", fontsize=10, loc="left")


def growth(axis: Any, results: Sequence[Result]) -> None:
    """Seconds over the number of samples."""
    points = [(figures["samples"], figures["seconds"]) for result in results for figures in result.rounds]
    axis.scatter(*zip(*points, strict=True), color=OURS, s=14)
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    axis.set_title("Seconds, by number of samples", fontsize=10, loc="left")
