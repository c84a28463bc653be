"""What an experiment found: tables to read, curves.json, curves.png."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from siftstream.experiment.running import Rules
from siftstream.experiment.savings import Curves, Savings, savings
from siftstream.experiment.show import draw, tables, twice

COLUMNS: Final = 6  # numbers of labels in a table: more do not fit a terminal
Figures = Mapping[str, Sequence[Savings]]


def counts_of(counts: Sequence[int], most: int, columns: int = COLUMNS) -> list[int]:
    """Return numbers of labels to report, each about so many times the one before, first and last among them.

    >>> counts_of([20, 40, 60, 80, 100, 120, 140, 160, 180, 200, 220], most=200)
    [20, 40, 60, 80, 120, 200]
    """
    within = [count for count in counts if count <= most] or list(counts[:1])
    if len(within) <= columns:
        return within
    ratio = (within[-1] / within[0]) ** (1 / (columns - 1))
    wanted = [within[0] * ratio**place for place in range(columns)]
    return sorted({min(within, key=lambda count: abs(count - goal)) for goal in wanted})


def _reported(curves: Mapping[str, Curves], rules: Rules) -> list[int]:
    """Return numbers of labels at which all strategies were measured, and random alone where it is alone."""
    counts = {name: ours.counts_P.tolist() for name, ours in curves.items()}
    return counts_of(
        next((ours for name, ours in counts.items() if name != "random"), counts["random"]), rules.labels
    )


def figures_of(curves: Mapping[str, Curves], at: Sequence[int]) -> Figures:
    """Return what each strategy reached at each number of labels."""
    return {name: [savings(ours, curves["random"], labels) for labels in at] for name, ours in curves.items()}


def shown(title: str, curves: Mapping[str, Curves], rules: Rules) -> str:
    """Return the tables as Markdown: accuracies, ratio of labels, and random with twice the labels."""
    at = _reported(curves, rules)
    return "\n".join([tables(title, figures_of(curves, at)), twice(curves, at)])


def written(folder: Path, title: str, curves: Mapping[str, Curves], rules: Rules) -> list[Path]:
    """Write curves.json and, where matplotlib is installed, curves.png; return what was written."""
    at = _reported(curves, rules)
    figures = figures_of(curves, at)
    found = {
        name: {
            "counts": ours.counts_P.tolist(),
            "accuracies": ours.accuracies_SP.round(4).tolist(),
            "savings": [one.as_json() for one in figures[name]],
        }
        for name, ours in curves.items()
    }
    file = folder / "curves.json"
    file.write_text(
        json.dumps({"data": title, "rules": asdict(rules), "strategies": found}), encoding="utf-8"
    )
    picture = folder / "curves.png"
    try:
        draw({title: curves}, list(curves), rules.labels, picture)
    except ModuleNotFoundError:
        return [file]
    return [file, picture]
