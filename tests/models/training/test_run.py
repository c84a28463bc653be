"""A whole run in the real child: a committee of heads on a frozen encoder, told of as it goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from siftstream.models.cnn import spare_cnn
from siftstream.models.encoder import Encoder
from siftstream.models.head import Head
from siftstream.models.training import EMBEDDINGS, ENCODER, HEAD, Job, Trainer
from siftstream.models.training.child import sentence
from siftstream.models.training.run_job import run_job
from siftstream.models.training.settings import LimitSettings, TrainSettings
from siftstream.schemas import Progress, Slice
from siftstream.schemas.errors import InferenceError, TrainingError, TrainingKilled
from tests.models.training.pictures import SHAPE, bars

SETTINGS = TrainSettings(mode="head", members=3)
ROWS = 60


def job(settings: TrainSettings = SETTINGS) -> Job:
    inputs, targets = bars(ROWS)
    slices = (Slice.TRAIN,) * ROWS
    return Job(
        {"image": inputs}, targets, np.ones(ROWS, np.float32), slices, ("up", "across"), settings,
        spare_cnn(SHAPE),
    )  # fmt: skip


async def test_a_frozen_encoder_gets_a_committee_of_heads_by_a_spare_child(tmp_path: Path) -> None:
    ours = job()
    ours.write(tmp_path)
    told: list[Progress] = []
    async with Trainer() as trainer:
        await trainer.warm()
        report = await trainer.train(tmp_path, SETTINGS.limits, told.append)
    assert (report.trained_on, report.calibrated_on, report.import_seconds) == (ROWS, "folds", 0.0)
    head = Head.from_bytes((tmp_path / HEAD).read_bytes())
    assert head.members == 3
    assert not (tmp_path / ENCODER).exists()
    emb_ND = np.load(tmp_path / EMBEDDINGS)
    frozen = Encoder(ours.frozen or b"", providers=("cpu",))
    np.testing.assert_allclose(emb_ND, frozen.embed(ours.inputs), rtol=1e-4, atol=1e-5)
    right = head.probs(emb_ND).mean(axis=1).argmax(axis=1) == ours.targets
    assert right.mean() > 0.8
    phases = list(dict.fromkeys(progress.phase for progress in told))
    assert phases == ["read", "embed", "fit", "calibrate"]


def test_held_out_samples_change_nothing_but_the_calibration_of_a_head(tmp_path: Path) -> None:
    slices = (Slice.TRAIN,) * 30 + (Slice.HOLDOUT, Slice.AUDIT) * 15
    ours = replace(job(), slices=slices)
    held = ours.where(Slice.HOLDOUT, Slice.AUDIT)
    inputs, targets = ours.inputs["image"].copy(), ours.targets.copy()
    inputs[held], targets[held] = 0, 1 - targets[held]
    heads: list[Head] = []
    for name, one in (("ours", ours), ("other", replace(ours, inputs={"image": inputs}, targets=targets))):
        one.write(tmp_path / name)
        run_job(tmp_path / name, lambda _: None)
        heads.append(Head.from_bytes((tmp_path / name / HEAD).read_bytes()))
    np.testing.assert_array_equal(heads[0].weights_MDC, heads[1].weights_MDC)
    assert heads[0].temperature != heads[1].temperature


async def test_the_real_child_is_held_to_its_memory(tmp_path: Path) -> None:
    limits = LimitSettings(memory=256 << 20, prewarm=False)  # less than torch alone
    job(SETTINGS.model_copy(update={"limits": limits})).write(tmp_path)
    async with Trainer(prewarm=False) as trainer:
        with pytest.raises(TrainingError, match="more than the 256 MiB that retrain") as told:
            await trainer.train(tmp_path, limits)
    assert not isinstance(told.value, TrainingKilled)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 9 GiB for an array"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 40 bytes."),
        InferenceError("the model cannot run: std::bad_alloc"),
    ],
)
def test_want_of_memory_is_told_with_its_remedy_whoever_noticed(error: Exception) -> None:
    said = sentence(error, 1 << 30)
    assert said.startswith(
        "training: it needs more memory than the 1024 MiB that retrain.train.limits.memory"
    )
    assert "more memory than there is; " in sentence(error, None)


def test_an_error_of_torchs_gpu_memory_names_the_batch_size() -> None:
    error = RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB.")
    assert "lower full.batch_size" in sentence(error, None)


def test_another_error_is_told_as_it_is() -> None:
    assert sentence(TrainingError("training: no labels"), None) == "training: no labels"
    assert sentence(KeyError("image"), None) == "KeyError: 'image'"
