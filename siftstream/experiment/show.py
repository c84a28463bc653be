"""Tables in Markdown and a picture of learning curves."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from siftstream.experiment.savings import Curves, Figure, Savings, ahead

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
    """Return two tables: the accuracy with its points against random, and the ratio of labels."""
    counts = [one.labels for one in next(iter(results.values()))]
    head = [_row("strategy", [f"{count}" for count in counts]), "|---" * (len(counts) + 1) + "|"]
    levels = [_row(name, [level(one) for one in each]) for name, each in results.items()]
    ratios = [
        _row(name, [ratio(one.ratio) for one in each]) for name, each in results.items() if name != "random"
    ]
    reached = f"**{title}: accuracy in % at so many labels, points against random (90 % interval)**\n"
    saved = f"**{title}: labels used / labels random needs for the same accuracy (90 % interval)**\n"
    found = [reached, *head, *levels, ""]
    return "\n".join([*found, saved, *head, *ratios, ""] if ratios else found)


def ratio(figure: Figure) -> str:
    """Return a ratio as in `.62 (.50 to .71)`.

    >>> ratio(Figure(0.617, 0.5, 1.21, "<="))
    '≤.62 (.50 to 1.21)'
    """
    sign = {"<=": "≤", ">=": "≥"}.get(figure.bound, "")
    around = f" ({_short(figure.low)} to {_short(figure.high)})" if figure.low < figure.high else ""
    return f"{sign}{_short(figure.value)}{around}"


def level(one: Savings) -> str:
    """Return an accuracy, and its distance from random where there is one, each with its interval.

    >>> level(Savings(20, Figure(0.841, 0.82, 0.86), Figure(0.023, 0.011, 0.036), Figure(0.6, 0.5, 0.7)))
    '84.1 (82.0 to 86.0), +2.3 (1.1 to 3.6)'
    """
    reached = points(one.accuracy)
    apart = one.against_random
    return f"{reached}, {points(apart, '+')}" if any((apart.value, apart.low, apart.high)) else reached


def points(figure: Figure, sign: str = "") -> str:
    """Return a share in percent with its interval; a single run has none.

    >>> points(Figure(0.841, 0.841, 0.841))
    '84.1'
    """
    value, low, high = (100 * one for one in (figure.value, figure.low, figure.high))
    return f"{value:{sign}.1f}" + (f" ({low:.1f} to {high:.1f})" if low < high else "")


def twice(curves: Mapping[str, Curves], counts: Sequence[int]) -> str:
    """Return a table: points of accuracy above random with twice as many labels, as far as it went."""
    random = curves["random"]
    within = [count for count in counts if 2 * count <= random.counts_P[-1]]
    rows = [
        _row(name, [points(ahead(ours, random, count, 2), "+") for count in within])
        for name, ours in curves.items()
        if name != "random"
    ]
    if not within or not rows:
        return ""
    head = _row("strategy", [f"{count} against {2 * count}" for count in within])
    title = "**points of accuracy above random with twice the labels (90 % interval)**\n"
    return "\n".join([title, head, "|---" * (len(within) + 1) + "|", *rows, ""])


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
