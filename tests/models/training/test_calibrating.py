"""Where a candidate's calibration comes from: held-out samples, else folds of training labels, else none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from siftstream.models.calibration import expected_calibration_error, fit_calibration
from siftstream.models.head import Head
from siftstream.models.training import calibrating
from siftstream.models.training.calibrating import Calibrated, calibrate
from siftstream.models.training.heads import fit_heads
from siftstream.models.training.job import Job
from siftstream.models.training.settings import TrainSettings
from siftstream.schemas import Progress, Slice
from siftstream.schemas.errors import TrainingError

ROWS = 240


def settings(**calibration: object) -> TrainSettings:
    return TrainSettings.model_validate(
        {"mode": "head", "members": 2, "head": {"l2": 0.001}, "calibration": calibration}
    )


def drawn(count: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noisy embeddings of classes that overlap: a head with next to no prior is too sure of them."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(classes, size=count)
    return targets, (rng.normal(size=(count, 12)) + 1.2 * np.eye(12)[targets]).astype(np.float32)


def job(held: int, how: TrainSettings, classes: int = 2) -> tuple[Job, np.ndarray]:
    targets, emb = drawn(ROWS, classes)
    slices = (Slice.TRAIN,) * (ROWS - held) + (Slice.HOLDOUT,) * (held - held // 3)
    slices += (Slice.AUDIT,) * (held // 3)
    names = tuple(f"c{number}" for number in range(classes))
    folds = np.arange(ROWS).astype(np.uint8) % 5
    weights = np.ones(ROWS, np.float32)
    given = Job({"x": emb}, targets, weights, slices, names, how, b"encoder", folds=folds)
    return given, emb


def heard(_: Progress) -> None:
    """Nobody listens."""


def calibrated(held: int, how: TrainSettings) -> tuple[Calibrated, Job, np.ndarray, Head]:
    given, emb = job(held, how)
    train = given.where(Slice.TRAIN)
    plain = fit_heads(emb, given.targets[train], given.weights[train], 2, how, heard, rows_N=train).head
    return calibrate(given, plain, emb, heard), given, emb, plain


def test_enough_held_out_samples_calibrate_and_leave_calibrations_to_judge_by() -> None:
    found, given, emb, plain = calibrated(120, settings())
    held = given.where(Slice.HOLDOUT, Slice.AUDIT)
    assert (found.origin, found.by) == ("holdout", "temperature")
    expected = fit_calibration("temperature", plain.logits(emb[held]), given.targets[held])
    assert found.head.temperature == pytest.approx(expected.temperature)
    assert found.head.temperature > 1.1
    assert given.folds is not None
    inside = held[given.folds[held] != 3]
    without = fit_calibration("temperature", plain.logits(emb[inside]), given.targets[inside])
    assert found.head.without(3).temperature == pytest.approx(without.temperature, rel=1e-5)


def test_training_labels_in_folds_calibrate_where_too_few_are_held_out() -> None:
    found, _, _, plain = calibrated(29, settings())
    assert (found.origin, found.by) == ("folds", "temperature")
    assert found.head.temperature > 1.1
    assert found.head.crossed_F2 is None
    targets, emb = drawn(2000, 2, seed=1)
    before, after = (
        expected_calibration_error(head.probs(emb).mean(axis=1), targets) for head in (plain, found.head)
    )
    assert after < before


def test_in_full_mode_training_labels_calibrate_nothing() -> None:
    given, emb = job(29, settings())
    full = replace(given, settings=given.settings.model_copy(update={"mode": "full"}))
    head = Head.uniform(2, 12, 2)
    assert calibrate(full, head, emb, heard) == (head, "none", "none")


def test_too_few_labels_of_any_kind_calibrate_nothing() -> None:
    given, emb = job(100, settings(min_samples=150))
    head = Head.uniform(2, 12, 2)
    assert calibrate(given, head, emb, heard) == (head, "none", "none")


def test_folds_tell_how_far_they_are_so_that_many_labels_are_no_hang() -> None:
    given, emb = job(29, settings())
    told: list[Progress] = []
    calibrate(given, Head.uniform(2, 12, 2), emb, told.append)
    assert {progress.phase for progress in told} == {"calibrate"}
    assert any(progress.steps and progress.step for progress in told)


def test_no_method_calibrates_nothing() -> None:
    found, _, _, plain = calibrated(120, settings(method="none"))
    assert found == (plain, "none", "none")


@pytest.mark.parametrize("held", [120, 0])
def test_platt_shifts_the_second_class(held: int) -> None:
    found, _, _, plain = calibrated(held, settings(method="platt"))
    assert found.by == "platt"
    np.testing.assert_array_equal(found.head.bias_MC[:, 0], plain.bias_MC[:, 0])
    assert (found.head.bias_MC[:, 1] != plain.bias_MC[:, 1]).all()


def test_isotonic_is_platt_until_there_are_samples_for_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    few = calibrated(120, settings(method="isotonic"))[0]
    assert few.by == "platt"
    assert few.head.knots_K2 is None
    monkeypatch.setattr(calibrating, "ISOTONIC_LEAST", 100)
    many = calibrated(120, settings(method="isotonic"))[0]
    assert many.by == "isotonic"
    assert many.head.knots_K2 is not None
    assert many.head.without(0).knots_K2 is not None
    assert many.head.temperature == few.head.temperature


def test_all_held_out_samples_in_one_fold_leave_calibrations_none_the_less() -> None:
    given, emb = job(60, settings(method="platt"))
    given = replace(given, folds=np.zeros(ROWS, np.uint8))
    found = calibrate(given, Head.uniform(2, 12, 2), emb, heard)
    assert found.head.without(0).temperature == pytest.approx(found.head.temperature, rel=1e-6)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_what_is_for_two_classes_is_refused_for_more_before_anything_is_trained(method: str) -> None:
    given, _ = job(60, settings(method=method), classes=3)
    with pytest.raises(TrainingError, match=f"'{method}' is for two classes, and these are 3; take temp"):
        given.check()


def test_the_child_reads_the_folds_that_the_parent_wrote(tmp_path: Path) -> None:
    given, _ = job(60, settings())
    given.write(tmp_path / "job")
    found = Job.read(tmp_path / "job").folds
    assert found is not None
    np.testing.assert_array_equal(found, given.folds)
    replace(given, folds=None).write(tmp_path / "other")
    assert Job.read(tmp_path / "other").folds is None
