"""How far judgements can be trusted: what a calibration's own samples flatter it by, and what intervals hold.

    python -m benchmarks.judging

Both are simulated, so the truth is known: two models see a class's place with noise of their own. Flattery is
the mean log loss of a model on the samples that it was calibrated on, less the true one. Coverage is how
often the 90 % interval holds the true value, and the true difference to a model whose logits are 1.6 times
what is honest. The last table asks whom a temperature should come from: the true log loss on the stream after
one from held-out samples among the hardest 30 %, from audited ones at random, or from both; of a model that
is twice too sure everywhere, and of one that is the surer of itself the easier a sample is.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich import print as show
from rich.table import Table

from siftstream.models.calibration import Method, crossed, fit_calibration, fit_temperature, log_loss
from siftstream.models.head import Floats, Head, softmax
from siftstream.models.judging.answers import Answers
from siftstream.models.judging.crossing import FOLDS, said_of_embeddings
from siftstream.models.judging.figures import figures_of

RUNS: Final = 200
TRUE: Final = 20_000  # samples that stand for the truth
FIGURES: Final = ("accuracy", "macro_f1", "log_loss", "ece", "recall")
Targets = NDArray[np.int64]


def drawn(count: int, classes: int, apart: float, rng: np.random.Generator) -> tuple[Targets, list[Floats]]:
    """Return targets [B] and the honest logits [B, C] of two models."""
    targets = rng.integers(classes, size=count)
    seen = rng.normal(size=(count, classes))
    seen[np.arange(count), targets] += apart
    noisy = [seen + 0.6 * rng.normal(size=seen.shape) for _ in range(2)]
    return targets, [(apart / 1.36 * one).astype(np.float32) for one in noisy]


def flattery(method: Method, size: int, classes: int) -> tuple[float, float, float]:
    """Return the true log loss, and what it seems to differ by: on its own samples, and cross-fitted."""
    rng = np.random.default_rng(0)
    targets, (logits, _) = drawn(TRUE, classes, 2.0 if classes == 2 else 3.0, rng)
    logits *= 2.0  # too sure, as trained models are
    plain = Head(np.eye(classes, dtype=np.float32)[None], np.zeros((1, classes), np.float32))
    found: list[tuple[float, float, float]] = []
    for _ in range(RUNS):
        rows, folds = rng.integers(TRUE, size=size), rng.integers(FOLDS, size=size).astype(np.uint8)
        own, said = targets[rows], logits[rows][:, None]
        others = [fit_calibration(method, said[folds != f], own[folds != f]) for f in range(FOLDS)]
        head = crossed(plain, fit_calibration(method, said, own), others)
        true = log_loss(head.probs(logits)[:, 0], targets)
        naive = log_loss(head.probs(logits[rows])[:, 0], own)
        fair = log_loss(said_of_embeddings(head, logits[rows], folds)[:, 0], own)
        found.append((true, naive - true, fair - true))
    true, naive, fair = np.mean(found, axis=0).tolist()
    return true, naive, fair


def coverage(size: int, classes: int, apart: float) -> dict[str, tuple[float, float]]:
    """Return how often intervals hold the value and the difference, by figure."""
    rng = np.random.default_rng(0)
    targets, (first, second) = drawn(5 * TRUE, classes, apart, rng)
    ours, live = (Answers.of(softmax(one)[:, None], targets) for one in (first, np.float32(1.6) * second))
    names = [str(number) for number in range(classes)]
    truth = {one.name: one for one in figures_of(ours, live, targets, np.ones(len(targets)), names)}
    held = {name: np.zeros(3) for name in FIGURES}
    for _ in range(RUNS):
        rows = rng.integers(len(targets), size=size)
        for one in figures_of(ours.at(rows), live.at(rows), targets[rows], np.ones(size), names):
            true = truth[one.name]
            assert one.gap is not None
            assert true.live is not None
            low, high = one.gap.at()
            held[one.name.partition("/")[0]] += [
                1, one.interval[0] - 1e-9 <= true.value <= one.interval[1] + 1e-9,
                low <= true.value - true.live <= high,
            ]  # fmt: skip
    return {name: (float(sums[1] / sums[0]), float(sums[2] / sums[0])) for name, sums in held.items()}


def whose(holdout: int, audit: int, growing: bool) -> list[float]:
    """Return the true log loss on the stream, its temperature from both slices, the holdout, the audit."""
    rng = np.random.default_rng(0)
    targets, (logits, _) = drawn(2 * TRUE, 10, 3.0, rng)
    ordered = np.sort(logits, axis=1)
    margin = ordered[:, -1] - ordered[:, -2]
    sure = logits * (1 + np.minimum(margin, 6) / 3)[:, None] if growing else 2 * logits
    hardest, rest = margin.argsort()[: int(0.6 * TRUE)], np.arange(TRUE // 2)
    found: list[list[float]] = []
    for _ in range(RUNS):
        held, audited = rng.choice(hardest, holdout), rng.integers(TRUE, 2 * TRUE, audit)
        temperatures = [
            fit_temperature(sure[rows][:, None], targets[rows])
            for rows in (np.concatenate([held, audited]), held, audited)
        ]
        found.append([log_loss(softmax(sure[rest] / t), targets[rest]) for t in temperatures])
    return np.mean(found, axis=0).tolist()


def main(sizes: Sequence[int] = (30, 50, 100, 300, 1000)) -> None:
    """Print the three tables."""
    table = Table("classes", "method", "samples", "true log loss", "on its own samples", "cross-fitted")
    methods: list[tuple[int, Method]] = [
        (10, "temperature"), (2, "temperature"), (2, "platt"), (2, "isotonic"),
    ]  # fmt: skip
    for classes, method in methods:
        for size in sizes:
            true, naive, fair = flattery(method, size, classes)
            table.add_row(str(classes), method, str(size), f"{true:.3f}", f"{naive:+.4f}", f"{fair:+.4f}")
    show(table)
    table = Table("classes", "samples", *FIGURES, title="90 % intervals hold: value, difference")
    for classes, apart in ((2, 1.5), (10, 3.0)):
        for size in sizes[1:]:
            found = coverage(size, classes, apart)
            table.add_row(str(classes), str(size), *(f"{v:.2f} {g:.2f}" for v, g in found.values()))
    show(table)
    table = Table("model", "held out", "audited", "both", "holdout alone", "audit alone")
    for growing in (False, True):
        for holdout, audit in ((100, 10), (100, 30), (300, 100)):
            losses = (f"{loss:.4f}" for loss in whose(holdout, audit, growing))
            table.add_row(
                "surer where easy" if growing else "twice too sure", str(holdout), str(audit), *losses
            )
    show(table)


if __name__ == "__main__":
    main()
