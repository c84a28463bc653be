"""A trainer's metrics: what L holds, how its runs go and end, and how old the live version's data is."""

import time
from collections.abc import Callable

from siftstream.schemas import ModelVersion, TrainingRun
from siftstream.streams.metrics import Metrics

Clock = Callable[[], float]
NEVER = float("nan")


class Report:
    """Shows what the trainer tells; each method is cheap enough to be called at every change.

    >>> metrics = Metrics("retrain")
    >>> report = Report(metrics, clock=lambda: 1060.0)
    >>> report.pool(labels=120, changed=7)
    >>> report.live(ModelVersion(line="main", version="r-0001", classes=("a",), status="failed",
    ...     created_at=1000.0, seconds=20.0))
    >>> read = metrics.registry.get_sample_value
    >>> read("siftstream_retrain_labels"), read("siftstream_retrain_changed")
    (120.0, 7.0)
    >>> read("siftstream_retrain_data_age_seconds")
    80.0
    """

    def __init__(self, metrics: Metrics, clock: Clock = time.time) -> None:
        """Args: where they are shown; seconds since the epoch."""
        self._clock = clock
        self._labels = self._changed = 0
        self._run: TrainingRun | None = None
        self._learned_at = NEVER
        self._runs = metrics.counter("runs", "Training runs of this trainer, by how they ended.", "state")
        self._versions = metrics.counter("versions", "Versions this trainer made, by verdict.", "status")
        self._seconds = metrics.counter("run_seconds", "Time that training runs took, by their end.", "state")
        metrics.gauge("labels", "Usable labels in L.", lambda: self._labels)
        metrics.gauge("changed", "Labels new or changed since the last run began.", lambda: self._changed)
        metrics.gauge("running", "1 while a run is under way.", lambda: self._run is not None)
        metrics.gauge("share", "Share of the running phase that is done.", self._share)
        metrics.gauge("loss", "Training loss of the running run.", self._loss)
        metrics.gauge("remaining_seconds", "Time that the running phase still takes.", self._remaining)
        metrics.gauge("data_age_seconds", "Time since the live version's training began.", self._age)

    def pool(self, labels: int, changed: int) -> None:
        """Hear how many usable labels L has, and how many of them changed since the last run began."""
        self._labels, self._changed = labels, changed

    def progress(self, run: TrainingRun) -> None:
        """Hear of this trainer's run, as often as it is told."""
        self._run = run

    def over(self, run: TrainingRun, version: ModelVersion | None = None) -> None:
        """Hear how this trainer's run ended, and what it made."""
        self._run = None
        self._runs(run.state.value, 1)
        self._seconds(run.state.value, max(0.0, run.told_at - run.claimed_at))
        if version is not None:
            self._versions(version.status.value, 1)

    def live(self, version: ModelVersion | None) -> None:
        """Hear which version is live."""
        self._learned_at = NEVER if version is None else version.created_at - version.seconds

    def _share(self) -> float:
        return self._run.progress.share if self._run and self._run.progress else 0.0

    def _loss(self) -> float:
        progress = self._run.progress if self._run else None
        return NEVER if progress is None or progress.loss is None else progress.loss

    def _remaining(self) -> float:
        progress = self._run.progress if self._run else None
        return NEVER if progress is None or progress.remaining is None else progress.remaining

    def _age(self) -> float:
        return self._clock() - self._learned_at
