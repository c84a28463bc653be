"""A job folder: there and back without pickle, and no held-out label among those that are learned from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siftstream.models.training.job import Job, Report, read_report, write_report
from siftstream.models.training.settings import TrainSettings
from siftstream.schemas import Slice
from siftstream.schemas.errors import TrainingError

CLASSES = ("a", "b")


def job(slices: tuple[Slice, ...] = (Slice.TRAIN, Slice.HOLDOUT, Slice.AUDIT, Slice.TRAIN)) -> Job:
    count = len(slices)
    inputs = np.arange(count * 4, dtype=np.uint8).reshape(count, 1, 2, 2)
    targets = np.arange(count, dtype=np.int64) % 2
    weights = np.full(count, 0.5, np.float32)
    return Job({"image": inputs}, targets, weights, slices, CLASSES, TrainSettings(), b"onnx")


def test_a_job_survives_the_journey(tmp_path: Path) -> None:
    job().write(tmp_path / "new")
    back = Job.read(tmp_path / "new")
    assert (back.inputs["image"] == job().inputs["image"]).all()
    assert (back.targets == job().targets).all()
    assert (back.weights == job().weights).all()
    assert back.where(Slice.TRAIN).tolist() == [0, 3]
    assert (back.classes, back.settings, back.frozen) == (CLASSES, TrainSettings(), b"onnx")


def test_a_job_may_bring_inputs_of_some_rows_and_embeddings_of_the_others(tmp_path: Path) -> None:
    known = np.full((4, 3), np.nan, np.float32)
    known[1:3] = 0.5
    ours = replace(
        job(), inputs={"image": job().inputs["image"][[0, 3]]}, rows=np.array([0, 3]), known=known,
        start=b"w", slices=np.array([0, 1, 2, 0], np.uint8), folds=np.array([0, 1, 0, 1], np.uint8),
    )  # fmt: skip
    ours.write(tmp_path)
    back = Job.read(tmp_path)
    assert back.inputs["image"].shape[0] == 2
    assert back.rows is not None
    assert back.rows.tolist() == [0, 3]
    assert back.known is not None
    np.testing.assert_array_equal(back.known, known)
    assert isinstance(back.known, np.memmap)
    assert isinstance(back.inputs["image"], np.memmap)
    assert back.start == b"w"
    assert back.folds is not None
    assert back.folds.tolist() == [0, 1, 0, 1]
    assert back.where(Slice.AUDIT).tolist() == [2]


def test_a_job_that_writes_over_an_older_one_leaves_nothing_of_it(tmp_path: Path) -> None:
    replace(job(), known=np.zeros((4, 2), np.float32), start=b"w").write(tmp_path)
    job().write(tmp_path)
    back = Job.read(tmp_path)
    assert back.known is None
    assert back.start is None


@given(st.lists(st.sampled_from(list(Slice)), min_size=1, max_size=50))
def test_no_row_is_both_learned_from_and_judged_on(slices: list[Slice]) -> None:
    made = job(tuple(slices))
    train, held = set(made.where(Slice.TRAIN)), set(made.where(Slice.HOLDOUT, Slice.AUDIT))
    assert not train & held
    assert train | held == set(range(len(slices)))
    assert all(slices[row] is Slice.TRAIN for row in train)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"slices": (Slice.HOLDOUT,) * 4}, "no label in the training slice"),
        ({"targets": np.zeros(3, np.int64)}, r"lengths \[3, 4\]"),
        ({"targets": np.full(4, 2)}, "outside the 2 classes"),
        ({"rows": np.array([0, 1])}, r"inputs and their rows of lengths \[2, 4\]"),
        ({"rows": np.array([0, 1, 2, 4])}, "inputs of rows that are none of the 4"),
        ({"rows": np.array([-1, 1, 2, 3])}, "inputs of rows that are none of the 4"),
        ({"weights": np.zeros(4, np.float32)}, "must be positive"),
        ({"weights": np.array([1, 1, 1, -1], np.float32)}, "must be positive"),
        ({"weights": np.array([1, 1, 1, np.nan], np.float32)}, "must be positive"),
        ({"inputs": {"image": np.zeros((4, 1, 2, 2), np.float32)}}, "makes image float32 1x2x2"),
        ({"settings": TrainSettings(mode="head"), "frozen": None}, "needs the encoder"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(wrong: dict[str, object], reason: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=reason):
        replace(job(), **wrong).write(tmp_path)  # pyright: ignore


def test_a_pickle_in_the_place_of_an_array_is_refused(tmp_path: Path) -> None:
    job().write(tmp_path)
    np.save(tmp_path / "inputs-0.npy", np.array([{"evil": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(TrainingError, match="cannot be read"):
        Job.read(tmp_path)


def test_a_job_that_lacks_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be read"):
        Job.read(tmp_path)


def test_a_report_survives_the_journey_and_a_spoilt_one_is_none(tmp_path: Path) -> None:
    assert read_report(tmp_path) is None
    write_report(tmp_path, Report(steps=3, train_loss=float("nan")))
    found = read_report(tmp_path)
    assert found is not None
    assert found.steps == 3
    (tmp_path / "report.json").write_text("{cut sho")
    assert read_report(tmp_path) is None
