"""A picture of what each strategy picks on one toy window in two dimensions.

    python -m benchmarks.strategies_picture --out docs/pictures/strategies.png

Three classes overlap in the plane, a fourth cloud lies apart, and a few points are labelled. A head of five
linear members, each fitted on a bootstrap of the labels, gives the probabilities; each panel shows the twelve
samples that one strategy picks, the first ones darkest.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import (
    Labelled,
    LinearHead,
    Need,
    Window,
    get_strategy,
    strategy_class,
    strategy_names,
)

CHOSEN: Final = 12
CLOUDS: Final = (
    ((-2.2, -1.0), 0.8, 130),
    ((0.4, 1.6), 0.7, 130),
    ((2.0, -1.2), 0.8, 110),
    ((3.4, 2.6), 0.25, 40),
)
CLASS_OF_CLOUD: Final = (0, 1, 2, 2)
LABELLED: Final = 4  # a class
MEMBERS: Final = 5


def toy_window() -> tuple[Window, NDArray[np.float32]]:
    """Return the window, and the labelled points [L, 2]."""
    rng = np.random.default_rng(3)
    points = np.concatenate([rng.normal(centre, spread, (count, 2)) for centre, spread, count in CLOUDS])
    classes = np.repeat(CLASS_OF_CLOUD, [count for *_, count in CLOUDS])
    main = np.arange(sum(count for *_, count in CLOUDS[:3]))  # nobody has labelled the cloud apart
    labelled = np.concatenate(
        [rng.choice(main[classes[main] == c], LABELLED, replace=False) for c in range(3)]
    )
    heads = [_fitted(points, classes, rng.choice(labelled, len(labelled))) for _ in range(MEMBERS)]
    weights, bias = (np.stack(parts) for parts in zip(*heads, strict=True))
    logits = np.einsum("bd,mdc->bmc", points, weights) + bias
    probs = np.exp(logits - logits.max(axis=2, keepdims=True))
    probs /= probs.sum(axis=2, keepdims=True)
    free = np.setdiff1d(np.arange(len(points)), labelled)
    known = points[labelled].astype(np.float32)
    window = Window(
        probs.astype(np.float32), points.astype(np.float32), known,
        keys_B=rng.integers(0, 2**64, len(points), dtype=np.uint64), logits_BMC=logits.astype(np.float32),
        metadata=[{"site": "left" if x < 0 else "right"} for x, _ in points],
        labelled=Labelled(known, classes[labelled], probs[labelled].mean(axis=1)),
        head=LinearHead(weights.astype(np.float32), bias.astype(np.float32)), rows=free,
    )  # fmt: skip
    return window, known


def _fitted(points: Any, classes: Any, rows: Any) -> tuple[Any, Any]:
    """Return weights [2, 3] and bias [3] of a softmax regression on some rows, by gradient descent."""
    weights, bias, targets = np.zeros((2, 3)), np.zeros(3), np.eye(3)[classes[rows]]
    for _ in range(300):
        logits = points[rows] @ weights + bias
        probs = np.exp(logits - logits.max(axis=1, keepdims=True))
        apart = probs / probs.sum(axis=1, keepdims=True) - targets
        weights -= 0.1 * (points[rows].T @ apart / len(rows) + 0.05 * weights)
        bias -= 0.1 * apart.mean(axis=0)
    return weights, bias


def drawn(names: Sequence[str], path: Path) -> list[str]:
    """Draw a panel for each strategy that can be made by its name and reads what the window has.

    Returns the names that are left out.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    window, known = toy_window()
    chosen = {name: rows for name in names if (rows := _chosen(name, window)) is not None}
    columns = 6
    lines = -(-len(chosen) // columns)
    figure, grid = plt.subplots(lines, columns, figsize=(columns * 1.75, lines * 1.75), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (name, rows) in zip(grid.flat, chosen.items(), strict=False):
        axes.scatter(*window.emb_BD.T, s=3, color="0.8", linewidths=0)
        axes.scatter(*known.T, s=10, color="black", marker="x", linewidths=0.8)
        shades = mpl.colormaps["autumn"](np.linspace(0.0, 0.75, len(rows)))
        axes.scatter(*window.emb_BD[rows].T, s=13, c=shades, edgecolors="0.25", linewidths=0.3)
        axes.set_title(name, fontsize=7, pad=2)
    figure.tight_layout(pad=0.4)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return [name for name in names if name not in chosen]


def _chosen(name: str, window: Window) -> NDArray[np.int64] | None:
    if {Need.TOKENS, Need.COLUMNS} & strategy_class(name).needs:
        return None
    try:
        return get_strategy(name).select(window, CHOSEN, np.random.default_rng(0)).indices
    except StrategyError:
        return None  # made of other strategies, which must be named


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="What each strategy picks on a toy window.")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures/strategies.png"))
    options = parser.parse_args(arguments)
    left_out = drawn(strategy_names(), options.out)
    print(f"{options.out}: {options.out.stat().st_size / 1000:.0f} kB; left out: {', '.join(left_out)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
