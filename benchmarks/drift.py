"""What the watch for drift finds, how late and how often falsely; and whether acting on it pays.

    python -m benchmarks.drift
    python -m benchmarks.drift --spoken-digits wav.zip --cache features

The first makes streams of 16 normal features and a Beta-like confidence, stationary or with one step. The
second orders real spoken digits by speaker, labels them from a window of 300 and measures the accuracy on the
speaker of the moment, with and without the actions that a drift may set off.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.label_savings.data import kept
from benchmarks.label_savings.spoken_digits import spoken_digits
from benchmarks.speakers import Actions, Result, Trial, trial
from siftstream.agents.select.drift import DriftSettings, DriftWatch, Rows
from siftstream.agents.select.drift.detectors import LEVELS

DIM = 16
SHIFTS = {"embedding": (0.2, 0.35, 0.5, 1.0), "confidence": (0.02, 0.04, 0.08, 0.15)}


@dataclass(frozen=True)
class Case:
    """A stream of `samples` that moves at `moved_at` by `size` in one statistic, or never."""

    seed: int
    samples: int
    moved_at: int = 0
    statistic: str = ""
    size: float = 0.0

    def found(self, settings: DriftSettings) -> list[tuple[str, int]]:
        """Return statistic and place of each drift told."""
        rng = np.random.default_rng(self.seed)
        emb_ND = rng.standard_normal((self.samples, DIM)).astype(np.float32)
        sure_N = 1.0 - 0.5 * rng.beta(1.0, 4.0, self.samples)  # 0.9 with deviation 0.08
        if self.statistic == "embedding":
            emb_ND[self.moved_at :] += self.size
        elif self.statistic == "confidence":
            sure_N[self.moved_at :] -= self.size
        names = ["v"] * self.samples
        watch, seen = DriftWatch(settings, 0), 0
        order_N = np.arange(self.samples)
        told: list[tuple[str, int]] = []

        def newest(count: int) -> Rows:
            span = slice(max(0, seen - count), seen)
            return Rows(order_N[span], sure_N[span], emb_ND[span], names[span], names[span])

        while (seen := seen + watch.until_check(seen)) <= self.samples:
            told += [(drift.statistic, drift.seen) for drift in watch.look(seen, 0, newest)]
        return told


def false_alarms(settings: DriftSettings, seeds: int, samples: int) -> dict[str, float]:
    """Return alarms in 100,000 samples of stationary streams, by statistic."""
    told = [name for seed in range(seeds) for name, _ in Case(seed, samples).found(settings)]
    return {name: told.count(name) / (seeds * samples) * 1e5 for name in SHIFTS}


def delays(settings: DriftSettings, statistic: str, size: float, seeds: int) -> tuple[float, float]:
    """Return the share of streams in which the step is found within 3,000 samples, and the median delay."""
    found: list[int] = []
    at = 2_000
    for seed in range(seeds):
        told = Case(10_000 + seed, at + 3_000, at, statistic, size).found(settings)
        later = [place - at for name, place in told if name == statistic and place > at]
        found += later[:1]
    return len(found) / seeds, float(np.median(found)) if found else float("nan")


def made_up(detectors: Sequence[str], seeds: int, samples: int) -> Iterator[str]:
    """Yield the table of false alarms and delays, row by row."""
    sizes = [f"{name[:3]} {size:g}" for name, each in SHIFTS.items() for size in each]
    yield (
        "| detector | sensitivity | false alarms in 100,000: confidence | embedding | "
        + " | ".join(sizes)
        + " |"
    )
    yield "|" + "---|" * (4 + len(sizes))
    for detector in detectors:
        for level in LEVELS[detector]:
            settings = DriftSettings.model_validate({"detector": detector, "sensitivity": level})
            alarms = false_alarms(settings, seeds, samples)
            cells = [f"{alarms['confidence']:.1f}", f"{alarms['embedding']:.1f}"]
            for name, each in SHIFTS.items():
                for size in each:
                    share, delay = delays(settings, name, size, max(10, seeds // 5))
                    cells.append(
                        "-" if not share else f"{delay:.0f}" + (f" ({share:.0%})" if share < 1 else "")
                    )
            yield f"| {detector} | {level} | " + " | ".join(cells) + " |"


ACTIONS = {
    "nothing": Actions(),
    "shrink": Actions(shrink_window=0.4),
    "retrain": Actions(retrain=True),
    "raise": Actions(raise_budget=2.0),
    "all three": Actions(2.0, 0.4, True),
    "nothing, as many labels as all three": Actions(),
}


def on_speakers(path: Path, cache: Path, seeds: int, jobs: int) -> Iterator[str]:
    """Yield the table of the trial on spoken digits, row by row."""
    file = kept(cache, "spoken-digits", path, spoken_digits)
    speakers = speakers_of(path)
    yield "| strategy | on drift | accuracy on the speaker | against nothing | labels | drifts told of 5 |"
    yield "|---|---|---|---|---|---|"
    with ProcessPoolExecutor(jobs) as pool:
        for strategy in ("margin", "k_center", "random"):
            done: dict[str, list[Result]] = {}
            spent: list[int | None] = [None] * seeds
            for name, actions in ACTIONS.items():
                runs = [Trial(strategy, seed, actions, spent[seed]) for seed in range(seeds)]
                done[name] = list(pool.map(trial, runs, [file] * seeds, [speakers] * seeds))
                spent = [result.labels for result in done[name]] if name == "all three" else [None] * seeds
                yield _row(strategy, name, done[name], done["nothing"])


def _row(strategy: str, name: str, results: Sequence[Result], without: Sequence[Result]) -> str:
    """Show what runs came to, and how that differs from the runs of the same seeds without actions."""
    accuracy_S = np.array([result.accuracy for result in results])
    gain_S = accuracy_S - np.array([result.accuracy for result in without])
    labels = np.mean([result.labels for result in results])
    drifts = np.mean([result.drifts for result in results])
    cells = [strategy, name, interval(accuracy_S), interval(gain_S, "+"), f"{labels:.0f}", f"{drifts:.1f}"]
    return f"| {' | '.join(cells)} |"


def interval(values_S: NDArray[np.float64], sign: str = "") -> str:
    """Return the mean over seeds with its 90 % bootstrap interval."""
    draws = np.random.default_rng(0).integers(len(values_S), size=(2_000, len(values_S)))
    low, high = np.percentile(values_S[draws].mean(axis=1), (5, 95))
    return f"{values_S.mean():{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"


def speakers_of(path: Path) -> NDArray[np.int64]:
    """Return the number of each recording's speaker, in the order of the features."""
    from zipfile import ZipFile

    with ZipFile(path) as files:
        names = [name.split("_")[1] for name in sorted(n for n in files.namelist() if n.endswith(".wav"))]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.drift", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--seeds", type=int, help="streams (200), or runs of the trial (20)")
    parser.add_argument("--detectors", nargs="+", choices=LEVELS, default=list(LEVELS))
    parser.add_argument("--samples", type=int, default=20_000, help="of a stationary stream")
    parser.add_argument("--spoken-digits", type=Path, metavar="ZIP", help="the Free Spoken Digit Dataset")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="keeps the features; needed for that")
    parser.add_argument("--jobs", type=int, default=2, help="processes of the trial, of one thread each")
    options = parser.parse_args(arguments)
    if options.spoken_digits and not options.cache:
        parser.error("--spoken-digits needs --cache: a folder outside the repository that keeps its features")
    began = time.monotonic()
    if options.spoken_digits:
        rows = on_speakers(options.spoken_digits, options.cache, options.seeds or 20, options.jobs)
    else:
        rows = made_up(options.detectors, options.seeds or 200, options.samples)
    for row in rows:
        print(row, flush=True)
    print(f"{time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
