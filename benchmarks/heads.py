"""How much a head's prior matters: accuracy and log loss by labels and strength, and how long a fit takes.

`python -m benchmarks.heads --ag-news data/ag-news-test.csv --cache FOLDER` (without it: the bundled digits).
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.label_savings.ag_news import ag_news
from benchmarks.label_savings.data import Data, digits, kept, load
from siftstream.models.training.heads import fit_heads
from siftstream.models.training.settings import HeadSettings, TrainSettings
from siftstream.schemas import Progress

LABELS = (50, 100, 200, 400, 1000)
TEST_SHARE = 0.4
HEADS = {
    "l2 1": HeadSettings(l2=1.0), "l2 100": HeadSettings(l2=100.0), "auto": HeadSettings(),
    "mlp auto": HeadSettings(kind="mlp"),
}  # fmt: skip


@dataclass(frozen=True)
class Tried:
    """One head on samples that it has not seen: shares, nats, seconds."""

    accuracy: float
    log_loss: float
    seconds: float


def tried(data: Data, head: HeadSettings, labels: int, seed: int) -> Tried:
    """Return how well a head does that random labels made."""
    order = np.random.default_rng(seed).permutation(len(data.classes_N))
    cut = int(len(order) * TEST_SHARE)
    test, train = order[:cut], order[cut : cut + labels]
    settings = TrainSettings(mode="head", seed=seed, head=head)
    began = time.perf_counter()
    ones = np.ones(labels, np.float32)
    fitted = fit_heads(data.features_ND[train], data.classes_N[train], ones, data.classes, settings, _silent)
    seconds = time.perf_counter() - began
    logits_BC = torch.from_numpy(fitted.head.logits(data.features_ND[test])[:, 0]).double()
    wanted = torch.from_numpy(data.classes_N[test])
    losses: NDArray[np.float64] = -torch.log_softmax(logits_BC, 1).gather(1, wanted[:, None]).numpy()
    return Tried(float((logits_BC.argmax(1) == wanted).double().mean()), float(losses.mean()), seconds)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ag-news", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args()
    data = load(kept(given.cache, "ag-news", given.ag_news, ag_news)) if given.ag_news else digits()
    torch.set_num_threads(1)
    print(f"{'labels':>6}" + "".join(f"{name:>26}" for name in HEADS))
    for labels in LABELS:
        cells = list[str]()
        for head in HEADS.values():
            runs = [tried(data, head, labels, seed) for seed in range(given.seeds)]
            accuracy, loss, seconds = (
                float(np.mean([getattr(run, name) for run in runs]))
                for name in ("accuracy", "log_loss", "seconds")
            )
            cells.append(f"{accuracy:14.1%} {loss:5.3f} {seconds:4.1f}s")
        print(f"{labels:6}" + "".join(f"{cell:>26}" for cell in cells), flush=True)


def _silent(_: Progress) -> None:
    """Nobody listens."""


if __name__ == "__main__":
    main()
