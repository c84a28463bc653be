"""Labels needed for 95 % on real handwriting: a strategy against random, same training, several seeds.

    python -m benchmarks.learning_curve --seeds 5 --strategy margin --out results

Offline, on scikit-learn's bundled digits: 400 of the 1,797 images are held out and serve the curve alone;
they choose nothing and stop nothing. Each run begins with the same random labels, then asks for a round of
labels at a time by the strategy, from all the images that are left, and trains from scratch.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siftstream.models.cnn import cnn_onnx
from siftstream.models.encoder import Encoder
from siftstream.models.loaded import LoadedModel
from siftstream.models.settings import TrainSettings
from siftstream.strategies import Window, get_strategy

CLASSES = tuple("0123456789")
HELD_OUT = 400
GOAL = 0.95


def digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the images [1797, 1, 8, 8] as grey levels 0..255, and their classes."""
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    return (bunch.images * 255 / 16).round().astype(np.uint8)[:, None], bunch.target.astype(np.int64)


def trained(images: NDArray[np.uint8], targets: NDArray[np.int64], settings: TrainSettings) -> LoadedModel:
    """Return the model that the trainer's child would make of these labels."""
    import torch

    from siftstream.models.training.fit import fit_full

    torch.set_num_threads(settings.threads)
    ones = np.ones(len(targets), np.float32)
    fitted = fit_full(images, targets, ones, len(CLASSES), settings, lambda *_: None)
    assert fitted.weights is not None
    encoder = Encoder(cnn_onnx(fitted.weights, images.shape[1:]), providers=("cpu",))
    return LoadedModel("benchmark", CLASSES, encoder, fitted.head)


def curve(strategy: str, seed: int, start: int, size: int, labels: int) -> list[float]:
    """Return the accuracy on the held-out images after `start`, `start + size`, ... `labels` labels."""
    images, targets = digits()
    order = np.random.default_rng(0).permutation(len(images))
    held, pool = order[:HELD_OUT], order[HELD_OUT:]
    rng = np.random.default_rng(seed)
    labelled = rng.choice(pool, start, replace=False)
    accuracies: list[float] = []
    while True:
        model = trained(images[labelled], targets[labelled], TrainSettings(seed=seed))
        guesses = model.predict(images[held])[0].mean(axis=1).argmax(axis=1)
        accuracies.append(float((guesses == targets[held]).mean()))
        if len(labelled) >= labels:
            return accuracies
        left = np.setdiff1d(pool, labelled)
        window = Window(*model.predict(images[left]), model.encoder.embed(images[labelled]))
        chosen = get_strategy(strategy).select(window, size, rng)
        labelled = np.concatenate([labelled, left[chosen.indices]])


def labels_to(goal: float, counts: Sequence[int], accuracies: Sequence[float]) -> float:
    """Return where a curve first reaches `goal`, between two points by a straight line; nan if never.

    >>> labels_to(0.95, [10, 20, 30], [0.5, 0.9, 1.0])
    25.0
    """
    for at, reached in enumerate(accuracies):
        if reached >= goal:
            if at == 0:
                return float(counts[0])
            share = (goal - accuracies[at - 1]) / (reached - accuracies[at - 1])
            return round(counts[at - 1] + share * (counts[at] - counts[at - 1]), 1)
    return math.nan


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Run every seed of both strategies and return curves and figures."""
    seeds = list(range(options.first_seed, options.first_seed + options.seeds))
    names = (options.strategy, "random")
    jobs = [(name, seed, options.start, options.round, options.labels) for name in names for seed in seeds]
    with ProcessPoolExecutor(options.jobs) as pool:
        curves = list(pool.map(curve, *zip(*jobs, strict=True)))
    counts = [options.start + options.round * at for at in range(len(curves[0]))]
    result: dict[str, Any] = {"counts": counts, "seeds": seeds, "goal": GOAL, "held_out": HELD_OUT}
    for name, lines in zip(names, (curves[: len(seeds)], curves[len(seeds) :]), strict=True):
        result[name] = {
            "curves": lines,
            "labels": labels_to(GOAL, counts, np.mean(lines, axis=0).tolist()),
            "labels_by_seed": [labels_to(GOAL, counts, line) for line in lines],
        }
    result["ratio"] = result[options.strategy]["labels"] / result["random"]["labels"]
    return result


def show(result: dict[str, Any], strategy: str) -> None:
    """Print the curve as a table, and the figures."""
    ours, random = (np.array(result[name]["curves"]) for name in (strategy, "random"))
    print(f"{'labels':>6}  {strategy + ' mean (min..max)':>26}  {'random mean (min..max)':>26}")
    for at, count in enumerate(result["counts"]):
        cells = [
            f"{c[:, at].mean():.3f} ({c[:, at].min():.3f}..{c[:, at].max():.3f})" for c in (ours, random)
        ]
        print(f"{count:>6}  {cells[0]:>26}  {cells[1]:>26}")
    for name in (strategy, "random"):
        each = ", ".join(f"{n:.0f}" for n in result[name]["labels_by_seed"])
        print(f"labels to {GOAL:.0%}: {name} {result[name]['labels']:.0f} (seed by seed: {each})")
    print(f"ratio: {result['ratio']:.2f} (mean curves, {len(result['seeds'])} seeds)")


def draw(result: dict[str, Any], strategy: str, path: Path) -> None:
    """Write the learning curve as PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2))
    for name, colour in ((strategy, "tab:blue"), ("random", "tab:grey")):
        lines = np.array(result[name]["curves"])
        axes.plot(result["counts"], lines.mean(axis=0), color=colour, label=name)
        axes.fill_between(result["counts"], lines.min(axis=0), lines.max(axis=0), color=colour, alpha=0.2)
    axes.axhline(GOAL, color="tab:green", linestyle=":", label=f"{GOAL:.0%}")
    axes.set(xlabel="labels", ylabel=f"accuracy on {HELD_OUT} held-out images", title="scikit-learn digits")
    axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Labels to 95 %: a strategy against random.")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each strategy")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--strategy", default="margin")
    parser.add_argument("--start", type=int, default=10, help="random labels at first")
    parser.add_argument("--round", type=int, default=10, help="labels asked for at a time")
    parser.add_argument("--labels", type=int, default=240, help="labels at the end")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--out", type=Path, help="folder for learning_curve.json and .png")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    result = compare(options)
    show(result, options.strategy)
    print(f"{time.monotonic() - began:.0f} s")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "learning_curve.json").write_text(json.dumps(result, indent=1))
        draw(result, options.strategy, options.out / "learning_curve.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
