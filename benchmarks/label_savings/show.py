"""Tables in Markdown and a picture of learning curves."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.label_savings.savings import Curves, Figure, Savings

COLOURS = (
    "tab:blue",
    "tab:orange",
    "tab:green",
    "tab:red",
    "tab:purple",
    "tab:brown",
    "tab:pink",
    "tab:cyan",
)


def tables(title: str, results: Mapping[str, Sequence[Savings]]) -> str:
    """Return two tables: the ratio, and the accuracy with its points against random."""
    counts = [one.labels for one in next(iter(results.values()))]
    head = [
        "| strategy | " + " | ".join(f"{count}" for count in counts) + " |",
        "|---" * (len(counts) + 1) + "|",
    ]
    ratios = [
        _row(name, [ratio(one.ratio) for one in each]) for name, each in results.items() if name != "random"
    ]
    levels = [_row(name, [level(one) for one in each]) for name, each in results.items()]
    return "\n".join(
        [
            f"**{title}: ratio of labels (90 % interval) at so many labels**\n", *head, *ratios, "",
            f"**{title}: accuracy in %, points against random (90 % interval)**\n", *head, *levels, "",
        ]
    )  # fmt: skip


def ratio(figure: Figure) -> str:
    """Return a ratio as in `.62 (.50 to .71)`.

    >>> ratio(Figure(0.617, 0.5, 1.21, "<="))
    '≤.62 (.50 to 1.21)'
    """
    sign = {"<=": "≤", ">=": "≥"}.get(figure.bound, "")
    return f"{sign}{_short(figure.value)} ({_short(figure.low)} to {_short(figure.high)})"


def level(one: Savings) -> str:
    """Return an accuracy and its distance from random as in `84.1, +2.3 (1.1 to 3.6)`."""
    apart = [
        100 * value for value in (one.against_random.value, one.against_random.low, one.against_random.high)
    ]
    if not any(apart):
        return f"{100 * one.accuracy.value:.1f}"
    return f"{100 * one.accuracy.value:.1f}, {apart[0]:+.1f} ({apart[1]:.1f} to {apart[2]:.1f})"


def draw(sets: Mapping[str, Mapping[str, Curves]], names: Sequence[str], labels: int, path: Path) -> None:
    """Write the mean learning curves, a panel a data set; the band is the 90 % interval of random's mean."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(sets), figsize=(4.2 * len(sets), 3.8), squeeze=False)
    for axes, (title, curves) in zip(panels[0], sets.items(), strict=True):
        shown = [name for name in names if name in curves and name != "random"]
        colours = dict(zip(shown, COLOURS, strict=False))
        for name in ("random", *shown):
            counts = curves[name].counts_P
            inside = counts <= labels
            mean = 100 * curves[name].accuracies_SP.mean(axis=0)
            axes.plot(counts[inside], mean[inside], color=colours.get(name, "black"), label=name, lw=1.5)
        lines = 100 * curves["random"].accuracies_SP
        error = 1.645 * lines.std(axis=0, ddof=min(1, len(lines) - 1)) / np.sqrt(len(lines))
        counts, mean = curves["random"].counts_P, lines.mean(axis=0)
        inside = counts <= labels
        axes.fill_between(counts[inside], (mean - error)[inside], (mean + error)[inside], color="0.8")
        axes.set(xlabel="labels", title=title)
        axes.grid(alpha=0.3)
    panels[0, 0].set_ylabel("accuracy on held-out samples, %")
    panels[0, -1].legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _row(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"


def _short(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")
