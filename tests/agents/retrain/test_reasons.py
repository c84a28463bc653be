"""Why a run begins, and why one is stopped."""

from dataclasses import dataclass
from typing import Any

import pytest

from siftstream.agents.retrain.reasons import Reason, Reasons
from siftstream.agents.retrain.runs import Runs
from siftstream.agents.retrain.settings import RetrainSettings
from siftstream.schemas import (
    Action,
    Cause,
    Command,
    Drift,
    ModelVersion,
    RunState,
    TrainingRun,
    VersionStatus,
)
from siftstream.streams.record import Record


@dataclass
class Labels:
    """What the reasons ask of L."""

    training: int = 20
    upto: tuple[int, ...] = (20,)
    changed: int = 0
    newest: float = 0.0


class Case:
    """Reasons with a world of their own; `at` is now."""

    def __init__(self, **settings: Any) -> None:
        self.at = 1000.0
        self.labels = Labels()
        self.versions: dict[str, ModelVersion] = {}
        self.runs = Runs("main", clock=lambda: self.at)
        self.reasons = Reasons(
            RetrainSettings.model_validate({"min_new_labels": 10, "lease": 30.0} | settings),
            "main", self.labels, self.runs, self.versions,
        )  # fmt: skip

    def due(self) -> Reason | None:
        return self.reasons.due(self.at)

    def claim(self, name: str = "r-0001", cause: Cause = Cause.LABELS, token: str = "") -> TrainingRun:
        last = self.runs.last
        run = TrainingRun(
            line="main", version=name, trainer="r", after=last.version if last else None,
            upto=self.labels.upto, cause=cause, token=token, claimed_at=self.at,
        )  # fmt: skip
        self.runs.hear(run)
        return run

    def end(self, run: TrainingRun, state: RunState = RunState.DONE) -> None:
        self.runs.hear(run.model_copy(update={"state": state}))

    def fail(self, run: TrainingRun, *, killed: bool) -> None:
        self.versions[run.version] = ModelVersion(
            line="main", version=run.version, classes=("a",), status=VersionStatus.FAILED, killed=killed
        )
        self.end(run, RunState.FAILED)

    def train(self, name: str = "c1", *, supersede: bool = False) -> None:
        self.reasons.hear(Command(line="main", action=Action.TRAIN, command_id=name, supersede=supersede))

    def drift(self, seen: int, at: float) -> str:
        told = Drift(
            partition=0, seen=seen, position=9, statistic="embedding", detector="adwin", model_version="v1",
            before=1.0, after=9.0, detected_at=at,
        )  # fmt: skip
        self.reasons.fold_drift(Record("drift", 0, 0, None, told.encode()))
        return told.key.decode()


def test_the_first_run_waits_for_its_labels_whatever_is_asked_or_drifts() -> None:
    case = Case(on_drift=True)
    case.labels.training, case.labels.changed, case.labels.newest = 19, 19, 999.0
    case.train()
    case.drift(50, 990.0)
    assert case.due() is None
    case.labels.training = 20
    assert case.due() == Reason(Cause.COMMAND, "c1")


def test_enough_changed_labels_are_a_reason() -> None:
    case = Case()
    case.end(case.claim())
    case.labels.changed = 9
    assert case.due() is None
    case.labels.changed = 10
    assert case.due() == Reason(Cause.LABELS)


def test_a_trainer_that_has_not_read_what_the_last_run_knew_waits() -> None:
    case = Case()
    case.labels.upto = (20, 30)
    case.end(case.claim())
    case.labels.upto, case.labels.changed = (25, 29), 10
    assert case.due() is None
    case.labels.upto = (25, 30)
    assert case.due() == Reason(Cause.LABELS)


def test_a_command_is_answered_once_and_only_the_last_one_counts() -> None:
    case = Case()
    case.end(case.claim())
    case.train("c1")
    case.train("c2")
    assert case.due() == Reason(Cause.COMMAND, "c2")
    case.end(case.claim("r-0002", Cause.COMMAND, "c2"))
    assert case.due() is None


def test_what_another_stage_asks_for_does_not_drown_a_persons_command() -> None:
    case = Case()
    case.end(case.claim())
    case.train("person")
    case.reasons.hear(Command(line="main", action=Action.TRAIN, command_id="select", needs={0: 20}))
    assert case.due() == Reason(Cause.COMMAND, "person")  # what select needs, the last run knew


def test_a_command_that_needs_labels_waits_until_they_are_read() -> None:
    case = Case()
    case.end(case.claim())
    case.reasons.hear(Command(line="main", action=Action.TRAIN, command_id="select", needs={0: 25}))
    assert case.due() is None
    case.labels.upto = (25,)
    assert case.due() == Reason(Cause.COMMAND, "select")


def test_a_command_that_needs_labels_waits_for_them_and_any_run_that_knows_them_answers_it() -> None:
    case = Case()
    case.labels.upto = (25, 30)
    case.end(case.claim())
    case.reasons.hear(Command(line="main", action=Action.TRAIN, command_id="c1", needs={1: 31}))
    assert case.due() is None  # this trainer has still to read them
    case.labels.upto = (25, 31)
    assert case.due() == Reason(Cause.COMMAND, "c1")
    case.end(case.claim("r-0002", Cause.LABELS))
    assert case.due() is None


def test_commands_of_other_lines_or_about_asking_are_none() -> None:
    case = Case()
    case.end(case.claim())
    case.reasons.hear(Command(line="other", action=Action.TRAIN))
    case.reasons.hear(Command(line="main", action=Action.PAUSE))
    assert case.due() is None


def test_after_a_drift_one_later_label_is_enough() -> None:
    case = Case(on_drift=True)
    case.end(case.claim())
    key = case.drift(50, 1005.0)
    case.labels.changed, case.labels.newest = 3, 1004.0  # of the stream as it was
    assert case.due() is None
    case.labels.newest = 1006.0
    assert case.due() == Reason(Cause.DRIFT, key)


def test_a_drift_before_the_last_run_or_answered_by_name_is_no_reason() -> None:
    case = Case(on_drift=True)
    case.labels.changed, case.labels.newest = 5, 1020.0
    case.drift(50, 990.0)
    key = case.drift(60, 1010.0)  # by a clock that goes ahead
    case.end(case.claim("r-0001", Cause.DRIFT, key))
    assert case.due() is None
    case.drift(60, 1015.0)  # found again by a worker that was killed: the same key
    assert case.due() is None


def test_drift_is_no_reason_where_it_is_not_asked_for() -> None:
    case = Case(on_drift=False)
    case.end(case.claim())
    case.drift(50, 1005.0)
    case.labels.changed, case.labels.newest = 1, 1006.0
    assert case.due() is None


def test_a_place_of_the_schedule_comes_once_and_only_with_a_changed_label() -> None:
    case = Case(every=60.0)
    case.at = 970.0
    case.end(case.claim())
    case.at, case.labels.changed = 1019.0, 1
    assert case.due() is None  # the place from 960 to 1020 had its run
    case.at = 1020.0
    assert case.due() == Reason(Cause.SCHEDULE, "17")
    case.labels.changed = 0
    assert case.due() is None
    assert case.reasons.wait(1021.0) == 59.0


def test_a_silent_run_is_given_up_after_the_lease_and_not_before() -> None:
    case = Case()
    run = case.claim()
    case.at += 29.0
    assert case.due() is None
    assert case.reasons.wait(case.at) == pytest.approx(1.0)
    case.at += 1.0
    assert case.due() == Reason(Cause.AGAIN, "r-0001")
    case.end(run, RunState.RUNNING)  # it lives
    assert case.due() is None


def test_a_run_that_was_interrupted_or_superseded_begins_again_at_once() -> None:
    for state in (RunState.FAILED, RunState.SUPERSEDED):
        case = Case()
        case.end(case.claim(), state)
        assert case.due() == Reason(Cause.AGAIN, "r-0001")


def test_a_run_whose_version_is_out_is_not_begun_again_though_its_trainer_died() -> None:
    case = Case()
    run = case.claim()
    case.versions[run.version] = ModelVersion(
        line="main", version=run.version, classes=("a",), status=VersionStatus.FAILED
    )
    case.at += 100.0
    assert case.due() is None


def test_an_earlier_run_that_came_to_nothing_is_covered_by_a_later_one() -> None:
    case = Case()
    first = case.claim()
    case.end(case.claim("q-0001"))
    case.end(first, RunState.FAILED)
    assert case.due() is None


def test_a_killed_child_is_tried_again_twice_and_then_waits_for_labels() -> None:
    case = Case()
    case.fail(case.claim("r-0001"), killed=True)
    for number in (2, 3):
        reason = case.due()
        assert reason is not None
        assert reason == Reason(Cause.AGAIN, f"r-{number - 1:04d}")
        case.fail(case.claim(f"r-{number:04d}", reason.cause, reason.token), killed=True)
    assert case.due() is None
    case.labels.changed = 10
    assert case.due() == Reason(Cause.LABELS)


def test_a_failure_that_would_come_again_waits_for_labels() -> None:
    case = Case()
    case.fail(case.claim(), killed=False)
    assert case.due() is None


def test_a_superseding_command_stops_every_run_under_way_but_its_own_answer() -> None:
    case = Case()
    first, second = case.claim("a-0001"), case.claim("b-0001")
    assert case.reasons.superseded(first) == ""
    case.train("c1")
    assert case.reasons.superseded(first) == ""
    case.train("c2", supersede=True)
    assert case.reasons.superseded(first)
    assert case.reasons.superseded(second)
    case.train("c3")  # nor is it forgotten for a later one
    assert case.reasons.superseded(second)
    answer = case.claim("a-0002", Cause.COMMAND, "c3")
    assert case.reasons.superseded(second)  # the answer was faster than this one's look
    assert case.reasons.superseded(answer) == ""


def test_enough_changed_labels_supersede_the_newest_run_alone() -> None:
    case = Case(supersede_after=30)
    older, newest = case.claim("a-0001"), case.claim("b-0001")
    case.labels.changed = 29
    assert case.reasons.superseded(newest) == ""
    case.labels.changed = 30
    assert "30 labels" in case.reasons.superseded(newest)
    assert case.reasons.superseded(older) == ""


def test_a_run_that_was_taken_over_or_ended_by_a_namesake_stops() -> None:
    case = Case()
    run = case.claim("a-0001")
    case.claim("b-0001", Cause.AGAIN, "a-0001")
    assert "Taken over by b-0001" in case.reasons.superseded(run)
    other = case.claim("a-0002")
    case.end(other, RunState.FAILED)
    assert "same name" in case.reasons.superseded(other)
