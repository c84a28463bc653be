"""A trainer's metrics follow its runs, and L, and the live version."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from siftstream.agents.retrain.report import Report
from siftstream.schemas import ModelVersion, Progress, RunState, TrainingRun
from siftstream.streams.metrics import Metrics

RUN = TrainingRun(
    line="main", version="r-0001", trainer="r", state="running", claimed_at=1000.0, told_at=1004.0
)  # pyright: ignore
FAILED = ModelVersion(
    line="main", version="r-0001", classes=("a",), status="failed", seconds=4.0, created_at=1004.0  # pyright: ignore
)  # fmt: skip


class Shown:
    """A report and what it shows at 1060 seconds since the epoch."""

    def __init__(self) -> None:
        self._metrics = Metrics("retrain")
        self.report = Report(self._metrics, clock=lambda: 1060.0)

    def value(self, name: str, labels: Mapping[str, str] | None = None) -> float | None:
        return self._metrics.registry.get_sample_value(f"siftstream_retrain_{name}", dict(labels or {}))


@pytest.fixture
def shown() -> Shown:
    return Shown()


def test_a_run_under_way_shows_its_share_loss_and_time(shown: Shown) -> None:
    assert (shown.value("running"), shown.value("share")) == (0.0, 0.0)
    shown.report.progress(RUN)
    assert shown.value("running") == 1.0
    assert math.isnan(shown.value("loss") or 0.0)
    progress = Progress(phase="fit", step=3, steps=4, loss=0.25, remaining=7.0)
    shown.report.progress(RUN.model_copy(update={"progress": progress}))
    assert [shown.value(name) for name in ("share", "loss", "remaining_seconds")] == [0.75, 0.25, 7.0]


def test_a_run_that_is_over_counts_with_its_version_and_shows_no_longer(shown: Shown) -> None:
    shown.report.progress(RUN)
    shown.report.over(RUN.model_copy(update={"state": RunState.FAILED}), FAILED)
    shown.report.over(RUN.model_copy(update={"state": RunState.SUPERSEDED}))
    assert shown.value("runs_total", {"state": "failed"}) == 1.0
    assert shown.value("runs_total", {"state": "superseded"}) == 1.0
    assert shown.value("versions_total", {"status": "failed"}) == 1.0
    assert shown.value("run_seconds_total", {"state": "failed"}) == 4.0
    assert shown.value("run_seconds_total", {"state": "superseded"}) == 4.0
    assert shown.value("running") == 0.0


def test_the_age_of_the_live_versions_data_runs_from_its_trainings_begin(shown: Shown) -> None:
    assert math.isnan(shown.value("data_age_seconds") or 0.0)
    shown.report.live(FAILED)
    assert shown.value("data_age_seconds") == 60.0
    shown.report.live(None)
    assert math.isnan(shown.value("data_age_seconds") or 0.0)


def test_labels_and_changes_are_shown_as_they_were_told(shown: Shown) -> None:
    shown.report.pool(120, 7)
    assert (shown.value("labels"), shown.value("changed")) == (120.0, 7.0)
