"""Partitions in child processes, one case in turn with the others: what came of each round."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from siftstream.bench.child import answer
from siftstream.bench.failed import BenchFailed
from siftstream.bench.statistics import Three

START_S = 300.0  # a child has besides its limit: imports, filling the window, the round that is under way
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
Tell = Callable[[str], None]


@dataclass
class Case:
    """One strategy with one size of window; `ended` says why there are no more rounds, if so."""

    strategy: str
    window: int
    lives: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    ended: str = ""

    def three(self, figure: Callable[[dict[str, Any]], float]) -> Three:
        """Sum up a figure of all lives."""
        return Three.of([figure(life) for life in self.lives])

    @property
    def rate(self) -> Three:
        """Samples a second of CPU time."""
        return self.three(lambda life: life["samples"] / sum(life["cpu"].values()))

    @property
    def wall_rate(self) -> Three:
        """Samples a second of the wall clock."""
        return self.three(lambda life: life["samples"] / sum(life["parts"].values()))

    def share(self, *parts: str) -> float:
        """Return the share of the CPU time that some parts take; the median life's."""
        cpu = [life["cpu"] for life in self.lives]
        return Three.of([sum(one.get(part, 0.0) for part in parts) / sum(one.values()) for one in cpu]).median

    def rounds(self, clock: int) -> list[float]:
        """Return seconds of every round: by the wall clock (0) or of CPU time (1)."""
        return [times[clock] for life in self.lives for times in life["rounds"]]

    @property
    def as_json(self) -> dict[str, Any]:
        """The figures."""
        return vars(self)


def lives(
    strategies: Sequence[str], windows: Sequence[int], file: Path, rounds: int, samples: int, limit: float,
    tell: Tell,
) -> list[Case]:  # fmt: skip
    """Run every strategy with every window in interleaved rounds."""
    cases = [Case(strategy, window) for window in windows for strategy in strategies]
    for number in range(rounds):
        for case in cases:
            tell(f"round {number + 1} of {rounds}: {case.strategy}, window of {case.window:,}")
            _once(case, file, samples, limit)
    return cases


def _once(case: Case, file: Path, samples: int, limit: float) -> None:
    if case.ended:
        return
    words = [file, case.window, case.strategy, samples, limit]
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.selecting.one", *map(str, words)]
    try:
        case.lives.append(answer(command, within=limit + START_S, environment={**os.environ, **ONE_THREAD}))
    except BenchFailed as error:
        case.ended = str(error)
