"""The learning curve: as SVG that follows the page's light or dark mode, and as a PNG file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from siftstream.demo.result import TARGET, Result, percent

WIDTH, HEIGHT = 860, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 20, 18, 48


@dataclass(frozen=True)
class Frame:
    """Where labels and accuracies lie on the page."""

    most: int
    floor: float

    @classmethod
    def of(cls, result: Result) -> "Frame":
        """Fit all there is, in round numbers."""
        most = max([40, *(p.labels for p in result.points), *result.baseline.counts])
        lows = [share for row in result.baseline.accuracies for share in row]
        lowest = min([0.8, *(p.accuracy for p in result.points), *lows])
        return cls(-(-most // 20) * 20, max(0.0, int(lowest * 10) / 10))

    def x(self, labels: float) -> float:
        """Pixels from the left."""
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * labels / self.most, 1)

    def y(self, accuracy: float) -> float:
        """Pixels from the top."""
        share = (accuracy - self.floor) / (1.0 - self.floor)
        return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * share, 1)

    def ticks(self) -> tuple[list[int], list[float]]:
        """Labels and accuracies with a line of their own."""
        step = next(s for s in (20, 50, 100, 200, 500, 1000) if self.most / s <= 8)
        tenths = range(round(self.floor * 10), 11)
        return list(range(0, self.most + 1, step)), [tenth / 10 for tenth in tenths]


def svg(result: Result) -> str:
    """Return the curve as an SVG element; colours are the page's variables."""
    frame = Frame.of(result)
    return (
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="accuracy by labels">'
        f"{_grid(frame)}{_random(frame, result)}{_ours(frame, result)}{_needed(frame, result)}</svg>"
    )


def _grid(frame: Frame) -> str:
    across, up = frame.ticks()
    parts = [
        f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{frame.y(a)}" y2="{frame.y(a)}"/>'
        f'<text x="{_LEFT - 10}" y="{frame.y(a) + 4}" text-anchor="end">{percent(a, 0)}</text>'
        for a in up
    ]
    parts += [
        f'<text x="{frame.x(n)}" y="{HEIGHT - _BOTTOM + 22}" text-anchor="middle">{n}</text>' for n in across
    ]
    y = frame.y(TARGET)
    parts.append(f'<line class="target" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
    parts.append(f'<text class="target" x="{_LEFT + 6}" y="{y - 6}">{percent(TARGET, 0)}</text>')
    parts.append(f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 6}" text-anchor="end">labels bought</text>')
    return "".join(parts)


def _random(frame: Frame, result: Result) -> str:
    baseline = result.baseline
    if not baseline.counts:
        return ""
    columns = list(zip(*baseline.accuracies, strict=True))
    low, high = [min(column) for column in columns], [max(column) for column in columns]
    band = [*_pairs(frame, baseline.counts, high), *reversed(_pairs(frame, baseline.counts, low))]
    line = _pairs(frame, baseline.counts, baseline.mean())
    title = f"Random choice, {baseline.seeds} seeds: lowest, mean and highest"
    return (
        f'<g><title>{title}</title><polygon class="band" points="{" ".join(band)}"/>'
        f'<polyline class="random" points="{" ".join(line)}"/></g>'
    )


def _ours(frame: Frame, result: Result) -> str:
    points = result.points
    line = _pairs(frame, [p.labels for p in points], [p.accuracy for p in points])
    dots = "".join(
        f'<circle class="ours" cx="{frame.x(p.labels)}" cy="{frame.y(p.accuracy)}" r="4.5">'
        f"<title>{p.version}: {percent(p.accuracy)} with {p.labels} labels</title></circle>"
        for p in points
    )
    return f'<polyline class="ours" points="{" ".join(line)}"/>{dots}'


def _needed(frame: Frame, result: Result) -> str:
    """A drop line from where each curve reached the target."""
    marks = [("ours", result.needed()), ("random", result.baseline.needed())]
    return "".join(
        f'<line class="drop {who}" x1="{frame.x(n)}" x2="{frame.x(n)}" y1="{frame.y(TARGET)}"'
        f' y2="{HEIGHT - _BOTTOM}"/>'
        f'<text class="drop {who}" x="{frame.x(n) + 6}" y="{HEIGHT - _BOTTOM - 10}">{n:.0f}</text>'
        for who, n in marks
        if n is not None
    )


def _pairs(frame: Frame, labels: Sequence[float], accuracies: Sequence[float]) -> list[str]:
    return [f"{frame.x(n)},{frame.y(a)}" for n, a in zip(labels, accuracies, strict=True)]


def write_png(result: Result, path: Path) -> None:
    """Draw the same curve with matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # a second of imports, once at the end
    from matplotlib.figure import Figure

    ours, grey, ink, rule = "#0f766e", "#8a8f98", "#1f2933", "#e6e8eb"
    figure = Figure(figsize=(9.6, 5.2), dpi=150, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    baseline, frame = result.baseline, Frame.of(result)
    axes.axhline(TARGET, color=ink, linewidth=0.8, linestyle=(0, (4, 4)))
    if baseline.counts:
        columns = list(zip(*baseline.accuracies, strict=True))
        low, high = [min(column) for column in columns], [max(column) for column in columns]
        axes.fill_between(baseline.counts, low, high, color=grey, alpha=0.18, linewidth=0)
        label = f"random choice: mean and range of {baseline.seeds} seeds"
        axes.plot(baseline.counts, baseline.mean(), color=grey, linewidth=2, label=label)
    axes.plot(
        [p.labels for p in result.points], [p.accuracy for p in result.points],
        color=ours, linewidth=2.4, marker="o", markersize=5,
        label=f"siftstream: {result.strategy}, one live run",
    )  # fmt: skip
    for count, colour in ((result.needed(), ours), (baseline.needed(), grey)):
        if count is not None:
            axes.vlines(count, frame.floor, TARGET, color=colour, linewidth=1, linestyle=(0, (2, 3)))
            axes.annotate(
                f"{count:.0f}", (count, frame.floor), (5, 6), textcoords="offset points", color=colour
            )
    axes.set(xlim=(0, frame.most), ylim=(frame.floor, 1.0), xlabel="labels bought", ylabel="accuracy")
    axes.set_title("\n".join(result.sentences()), loc="left", fontsize=11.5, color=ink, pad=14)
    axes.yaxis.set_major_formatter(lambda share, _: percent(share, 0))
    axes.grid(axis="y", color=rule)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(colors=ink, length=0)
    axes.legend(loc="center right", facecolor="white", edgecolor="none", framealpha=1)
    figure.savefig(path)
