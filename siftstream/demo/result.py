"""What a run of the demo found out: the figures behind the view, the two sentences and the report."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, Field

from siftstream.schemas import Selected

TARGET = 0.95


class Step(BaseModel):
    """One step of the set-up."""

    name: str
    seconds: float


class Point(BaseModel):
    """One live version on the held-out images."""

    version: str
    labels: int = Field(description="Labels bought when it was trained, audit included.")
    accuracy: float
    seconds: float = Field(default=0.0, description="Since the first image was pushed.")
    training: float = Field(default=0.0, description="Seconds its training took.")


class Baseline(BaseModel):
    """Random choice: accuracies[s][i] is seed s trained on counts[i] labels."""

    counts: list[int] = Field(default_factory=list[int])
    accuracies: list[list[float]] = Field(default_factory=list[list[float]])
    seconds: float = 0.0

    @property
    def seeds(self) -> int:
        """How many seeds were trained."""
        return len(self.accuracies)

    def mean(self) -> list[float]:
        """The mean curve.

        >>> Baseline(counts=[20, 40], accuracies=[[0.6, 0.8], [0.8, 1.0]]).mean()
        [0.7, 0.9]
        """
        return [float(np.mean(column)) for column in zip(*self.accuracies, strict=True)]

    def at(self, labels: int) -> float | None:
        """The mean accuracy at a number of labels, between two counts by a straight line.

        >>> Baseline(counts=[20, 40], accuracies=[[0.7, 0.9]]).at(25)
        0.75
        """
        if not self.counts or not self.counts[0] <= labels <= self.counts[-1]:
            return None
        return round(float(np.interp(labels, self.counts, self.mean())), 6)

    def needed(self, target: float = TARGET) -> float | None:
        """Mean over the seeds of the labels at which each first reached the target; none if one did not.

        >>> Baseline(counts=[20, 40, 60], accuracies=[[0.7, 0.96, 0.97], [0.7, 0.9, 0.95]]).needed()
        50.0
        """
        first = [labels_to(target, self.counts, row) for row in self.accuracies]
        known = [labels for labels in first if labels is not None]
        return float(np.mean(known)) if known and len(known) == len(first) else None


class Choice(BaseModel):
    """One selected sample and its true class."""

    selected: Selected
    truth: str


class StageFigures(BaseModel):
    """What one stage did in the run."""

    name: str
    what: str
    done: int = 0
    rate: float = Field(default=0.0, description="Per second, the highest seen.")
    lag: int = Field(default=0, description="Records waiting, the most seen.")
    memory: float = Field(default=0.0, description="Resident MiB, the most seen.")


class Result(BaseModel):
    """A whole run, or the part of it that there was before it was stopped."""

    seed: int
    images: int
    holdout: int
    strategy: str = "margin"
    steps: list[Step] = Field(default_factory=list[Step])
    points: list[Point] = Field(default_factory=list[Point])
    baseline: Baseline = Field(default_factory=Baseline)
    choices: list[Choice] = Field(default_factory=list[Choice])
    stages: list[StageFigures] = Field(default_factory=list[StageFigures])
    pushed: int = Field(default=0, description="Images that were streamed.")
    labelled: int = 0
    first_selected: float | None = Field(default=None, description="Seconds after the broker's start.")
    seconds: float = Field(default=0.0, description="Whole run.")
    after_setup: float = Field(default=0.0, description="From the end of the set-up to the end of the run.")
    happenings: list[str] = Field(default_factory=list[str], description="What befell processes.")
    failure: str = Field(default="", description="One sentence; empty where all went well.")
    stopped: bool = Field(default=False, description="Whether somebody stopped it before its end.")

    def needed(self) -> int | None:
        """Labels of the first live version that reached the target."""
        return labels_to(TARGET, [p.labels for p in self.points], [p.accuracy for p in self.points])

    def sentences(self) -> tuple[str, str]:
        """The two sentences that the demo ends with."""
        return self._ours(), self._random()

    def turned(self) -> bool:
        """Whether the loop turned: several live versions, and the last ones better than the first."""
        return len(self.points) >= 3 and max(p.accuracy for p in self.points[1:]) > self.points[0].accuracy

    def _ours(self) -> str:
        needed = self.needed()
        if needed is not None:
            return f"siftstream needed {needed} labels for {percent(TARGET, 0)} on the held-out digits."
        best = max(self.points, key=lambda point: point.accuracy, default=None)
        if best is None:
            return "siftstream did not reach 95 % on the held-out digits: no model went live."
        return (
            f"siftstream did not reach {percent(TARGET, 0)} on the held-out digits"
            f" with {self.points[-1].labels} labels (best {percent(best.accuracy)})."
        )

    def _random(self) -> str:
        seeds, needed = self.baseline.seeds, self.baseline.needed()
        if needed is not None:
            return f"Random choice needed {needed:.0f} (mean of {seeds} seeds)."
        if not self.baseline.counts:
            return "Random choice was not measured: the run ended before."
        return (
            f"Random choice did not reach it with {self.baseline.counts[-1]} in each seed"
            f" (best {percent(max(self.baseline.mean()))}, mean of {seeds} seeds)."
        )


def percent(share: float, digits: int = 1) -> str:
    """Write a share as people read it.

    >>> percent(0.9525)
    '95.2 %'
    """
    return f"{share * 100:.{digits}f} %"


def labels_to(target: float, counts: Sequence[int], accuracies: Sequence[float]) -> int | None:
    """Return the first number of labels at which the accuracy is at least the target.

    >>> labels_to(0.95, [20, 40, 60], [0.8, 0.951, 0.94])
    40
    """
    reached = [count for count, accuracy in zip(counts, accuracies, strict=True) if accuracy >= target]
    return min(reached, default=None)
