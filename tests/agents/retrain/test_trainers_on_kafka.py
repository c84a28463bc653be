"""Trainers on a real broker: they share the work, and whatever is killed, the next version appears."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from siftstream.schemas import (
    Action,
    Cause,
    Command,
    ModelVersion,
    RunState,
    Slice,
    TrainingRun,
    VersionStatus,
)
from siftstream.streams.partition import partition_of
from tests.agents.retrain.trainers import Trainers, freeze
from tests.line.workers import wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
Make = Callable[..., Trainers]
SOON = 120.0


@pytest.fixture
def make(broker: str, topic_prefix: str, tmp_path: Path) -> Iterator[Make]:
    made: list[Trainers] = []

    def trainers(**retrain: object) -> Trainers:
        made.append(Trainers(tmp_path, broker, topic_prefix, **retrain))
        return made[-1]

    yield trainers
    for line in made:
        line.stop()


def test_two_trainers_are_staggered(make: Make) -> None:
    """While one is at work, the next labels are the other's; both versions appear."""
    line = make()
    for name in ("retrain-0", "retrain-1"):
        line.start(name)
    children = [*line.spare("retrain-0"), *line.spare("retrain-1")]
    freeze(children)
    line.labels(10)
    (first,) = wait_for(lambda: line.has_run(RunState.RUNNING), SOON, "the first run")
    line.labels(10)
    first, second = wait_for(lambda: line.has_run(RunState.RUNNING, 2), SOON, "the second run")
    for child in children:
        child.resume()
    runs = wait_for(lambda: line.has_run(RunState.DONE, 2), SOON, "both versions")
    assert len(runs) == 2
    assert {first.trainer, second.trainer} == {"retrain-0", "retrain-1"}
    assert second.after == first.version
    assert all(late >= early for early, late in zip(first.upto, second.upto, strict=True))
    versions = line.versions()
    for run in runs:  # labels come one by one, so a run may begin before the last of its ten
        assert len(line.learned(versions[run.version])) == versions[run.version].pool_size == run.labels
    assert first.labels in range(8, 11)
    assert second.labels in range(first.labels + 8, 21)


def test_the_next_version_appears_when_a_trainer_is_killed_in_mid_run(make: Make) -> None:
    line = make()
    line.start("retrain-0")
    freeze(line.spare("retrain-0"))
    line.labels(10)
    (run,) = wait_for(lambda: line.has_run(RunState.RUNNING), SOON, "the run")
    line.kill_with_child("retrain-0")
    line.start("retrain-0")
    broken, again = wait_for(lambda: line.has_run(RunState.DONE), SOON, "the version")
    assert (broken.version, broken.state) == (run.version, RunState.FAILED)
    assert (again.version, again.cause, again.token) == ("retrain-0-0002", Cause.AGAIN, run.version)
    assert list(line.versions()) == [again.version]


def test_another_trainer_takes_over_from_one_that_never_returns(make: Make) -> None:
    line = make(lease=2.0)
    line.start("retrain-0")
    freeze(line.spare("retrain-0"))
    line.labels(10)
    (run,) = wait_for(lambda: line.has_run(RunState.RUNNING), SOON, "the run")
    line.kill_with_child("retrain-0")
    line.start("retrain-1")
    given_up, again = wait_for(lambda: line.has_run(RunState.DONE), SOON, "the version")
    assert given_up.state is RunState.RUNNING
    assert (again.trainer, again.cause, again.token) == ("retrain-1", Cause.AGAIN, run.version)


def test_a_killed_child_is_tried_again(make: Make) -> None:
    line = make(lease=6.0)
    line.start("retrain-0")
    children = line.spare("retrain-0")
    freeze(children)
    line.labels(10)
    run = wait_for(lambda: line.is_at_work("retrain-0"), SOON, "the run")
    for child in children:
        child.kill()
    killed, again = wait_for(lambda: line.has_run(RunState.DONE), SOON, "the version")
    versions = line.versions()
    assert killed.version == run.version
    assert versions[killed.version].status is VersionStatus.FAILED
    assert versions[killed.version].killed
    assert (again.cause, versions[again.version].status) == (Cause.AGAIN, VersionStatus.LIVE)


def claimed(line: Trainers, names: list[str]) -> TrainingRun:
    """Return what a trainer writes that dies right after its claim."""
    upto = [0] * line.partitions
    for name in names:
        upto[partition_of(name, line.partitions)] += 1
    return TrainingRun(
        line="main", version="retrain-0-0001", trainer="retrain-0", upto=tuple(upto), labels=len(names)
    )


def test_a_trainer_killed_right_after_its_claim_begins_again(make: Make) -> None:
    line = make()
    line.write(claimed(line, line.labels(10)))
    line.start("retrain-0")
    broken, again = wait_for(lambda: line.has_run(RunState.DONE), SOON, "the version")
    assert broken.state is RunState.FAILED
    assert (again.cause, again.token) == (Cause.AGAIN, broken.version)
    assert line.learned(line.versions()[again.version]).keys() == {f"s{n:04d}" for n in range(10)}


def test_a_trainer_killed_right_after_its_version_does_not_train_that_again(make: Make) -> None:
    line = make()
    run = claimed(line, line.labels(10))
    line.write(run)
    version = ModelVersion(
        line="main", version=run.version, classes=("dark", "light"), status=VersionStatus.FAILED, reason="x"
    )
    line.write(version)
    line.start("retrain-0")
    wait_for(lambda: line.has_run(RunState.FAILED), SOON, "its end")
    line.labels(10)
    first, second = wait_for(lambda: line.has_run(RunState.DONE), SOON, "the next version")
    assert (first.version, first.state, first.reason) == (run.version, RunState.FAILED, "x")
    assert (second.version, second.cause) == ("retrain-0-0002", Cause.LABELS)


def test_a_command_supersedes_a_run_and_nothing_else_changes(make: Make) -> None:
    line = make(min_new_labels=1000, lease=6.0)
    line.start("retrain-0")
    children = line.spare("retrain-0")
    freeze(children)
    line.labels(8)
    line.write(Command(line="main", action=Action.TRAIN, command_id="c1"))
    run = wait_for(lambda: line.is_at_work("retrain-0"), SOON, "the run")
    line.labels(4)
    said = line.say("train", "--supersede", "--wait", "--timeout", "100")
    assert said.returncode == 0, said.stderr
    assert "retrain-0-0002 is live" in said.stdout
    stopped, done = line.chain()
    assert (stopped.version, stopped.state) == (run.version, RunState.SUPERSEDED)
    assert (done.cause, done.labels) == (Cause.COMMAND, 12)
    assert list(line.versions()) == ["retrain-0-0002"]
    assert not any(child.is_running() for child in children)
    assert not (line.folder / "state" / "jobs" / "retrain-0" / run.version).exists()


def test_labels_change_what_the_next_version_learns_and_the_held_out_stay_out(make: Make) -> None:
    """A flipped label is learned as it is now, a retracted one is not; over restarts of the trainer."""
    line = make(min_new_labels=1000)
    names = line.labels(12)
    held = {*line.labels(4, Slice.HOLDOUT), *line.labels(4, Slice.AUDIT)}
    line.start("retrain-0")
    assert line.say("train", "--wait", "--timeout", "100").returncode == 0
    line.kill("retrain-0")
    flipped, taken_back, *_ = names
    before = line.learned(line.versions()["retrain-0-0001"])
    assert before.keys() == set(names)
    line.label(flipped, "light" if before[flipped] == "dark" else "dark")
    line.label(taken_back, None)
    for name in held:
        line.label(name, "light", Slice.HOLDOUT if int(name[1:]) < 16 else Slice.AUDIT)
    line.start("retrain-0")
    said = line.say("train", "--wait", "--timeout", "100")
    assert said.returncode == 0, said.stderr
    version = line.versions()["retrain-0-0002"]
    after = line.learned(version)
    assert after.keys() == set(names) - {taken_back}
    assert {name for name in after if after[name] != before[name]} == {flipped}
    made_of = line.lineage(version)
    judged = {name for name, where in zip(made_of.ids, made_of.slices, strict=True) if where != 0}
    assert judged == held
