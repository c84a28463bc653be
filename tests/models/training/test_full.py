"""Full mode on the built-in CNN: what it learns from, when it stops, and what comes out."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from siftstream.models.cnn import spare_cnn
from siftstream.models.encoder import Encoder
from siftstream.models.training.adam import AdamW
from siftstream.models.training.full import Full, train_full
from siftstream.models.training.full.built_in import BuiltIn
from siftstream.models.training.full.fit import fit
from siftstream.models.training.full.labels import Labels
from siftstream.models.training.full.precision import Precision
from siftstream.models.training.full.run import onnx_difference
from siftstream.models.training.job import ENCODER, TENSORS, Job
from siftstream.schemas import Progress, Slice
from siftstream.schemas.errors import TrainingError
from tests.models.training.pictures import SHAPE, bars, job, settings


def trained(folder: Path, what: Job, told: list[Progress] | None = None) -> Full:
    folder.mkdir(exist_ok=True)
    return train_full(what, folder, (told if told is not None else []).append)


def accuracy(full: Full) -> float:
    inputs, targets = bars(200, seed=9)
    probs = full.fitted.head.probs(full.encoder.embed(inputs))
    return float((probs.mean(axis=1).argmax(axis=1) == targets).mean())


def test_it_learns_and_its_onnx_equals_torch(tmp_path: Path) -> None:
    told: list[Progress] = []
    full = trained(tmp_path, job(settings()), told)
    assert accuracy(full) > 0.95
    assert 0.0 < full.difference < 1e-3
    assert "differs from torch by" in full.notes[-1]
    fits = [progress for progress in told if progress.phase == "fit"]
    assert (fits[0].step, fits[-1].step, fits[-1].steps, full.fitted.steps) == (1, 40, 40, 40)
    assert (fits[0].epoch, fits[-1].epoch, fits[-1].epochs) == (1, 5, 5)
    assert told[-1].phase == "export"


def test_the_same_job_makes_the_same_bits_and_another_seed_others(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder, seed in zip(folders, (1, 1, 2), strict=True):
        trained(folder, job(settings(seed=seed, min_steps=10, epochs=1, members=2)))
    for name in (ENCODER, TENSORS):
        first, again, other = ((folder / name).read_bytes() for folder in folders)
        assert first == again != other


def scrambled(what: Job, *slices: Slice) -> Job:
    """The job with the samples of some slices blank and their labels wrong."""
    inputs, targets = what.inputs["image"].copy(), what.targets.copy()
    rows = what.where(*slices)
    inputs[rows], targets[rows] = 0, 1 - targets[rows]
    return replace(what, inputs={"image": inputs}, targets=targets)


def test_held_out_samples_are_not_learned(tmp_path: Path) -> None:
    ours = job(settings(min_steps=10, epochs=1))
    trained(tmp_path / "ours", ours)
    trained(tmp_path / "other", scrambled(ours, Slice.HOLDOUT, Slice.AUDIT))
    for name in (ENCODER, TENSORS):
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


EARLY: dict[str, Any] = {"epochs": 20, "early_stopping": {"patience": 2, "min_held": 10}}


def test_a_run_ends_when_the_holdout_is_answered_no_better_and_keeps_its_best_weights(tmp_path: Path) -> None:
    what = job(settings(**EARLY))
    rows = what.where(Slice.HOLDOUT)
    targets = what.targets.copy()
    targets[rows] = 1 - targets[rows]  # the more it learns, the worse it answers these
    full = trained(tmp_path, replace(what, targets=targets))
    assert full.fitted.steps == 3 * 2  # 60 labels in batches of 32: two steps an epoch
    assert "keeps the weights of epoch 1 of 20" in full.notes[0]
    assert "6 of 40 steps were made" in full.notes[0]
    one_epoch = trained(tmp_path / "one", job(settings(epochs=1, min_steps=2)))
    assert full.fitted.steps > one_epoch.fitted.steps == 2
    assert accuracy(full) < 0.9 < accuracy(trained(tmp_path / "all", job(settings(epochs=20))))


def test_the_audit_slice_never_stops_a_run(tmp_path: Path) -> None:
    ours = job(settings(**EARLY))
    other = scrambled(ours, Slice.AUDIT)
    full, again = trained(tmp_path / "ours", ours), trained(tmp_path / "other", other)
    assert full.fitted.steps == again.fitted.steps
    assert (tmp_path / "ours" / TENSORS).read_bytes() == (tmp_path / "other" / TENSORS).read_bytes()


def test_too_few_held_out_samples_stop_nothing(tmp_path: Path) -> None:
    how = settings(epochs=20, early_stopping={"patience": 1, "min_held": 11})
    full = trained(tmp_path, scrambled(job(how), Slice.HOLDOUT))
    assert full.fitted.steps == 40
    assert len(full.notes) == 1


def test_labels_without_weight_are_as_if_they_were_not_there(tmp_path: Path) -> None:
    what = job(settings())
    targets, weights = what.targets.copy(), what.weights.copy()
    targets[:30], weights[:30] = 1 - targets[:30], 0.0
    full = trained(tmp_path, replace(what, targets=targets, weights=weights))
    assert accuracy(full) > 0.9


def test_members_learn_from_different_bootstraps_on_one_encoder(tmp_path: Path) -> None:
    head = trained(tmp_path, job(settings(members=3))).fitted.head
    assert head.members == 3
    assert not np.allclose(head.weights_MDC[0], head.weights_MDC[1])


def test_a_loss_that_is_not_finite_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="the loss is not finite; lower learning_rate"):
        trained(tmp_path, job(settings(learning_rate=1e30)))


def test_a_graph_that_is_not_what_torch_computes_is_refused() -> None:
    learner = BuiltIn("image", SHAPE, 8, seed=0)
    with pytest.raises(TrainingError, match=r"differs from torch's by .* more than rounding"):
        onnx_difference(Encoder(spare_cnn(SHAPE, seed=1, dim=8)), learner, {"image": bars(4)[0]})
    assert onnx_difference(Encoder(learner.onnx()), learner, {"image": bars(4)[0]}) < 1e-4


def test_a_gpu_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(TrainingError, match="device 'cuda' is set, but this machine has none"):
        trained(tmp_path, job(settings(device="cuda")))
    assert accuracy(trained(tmp_path, job(settings(device="auto")))) > 0.95


def test_the_cnn_refuses_what_is_no_image_and_names_the_remedy() -> None:
    what = job(settings(), inputs={"text": np.ones((80, 12), np.int64)})
    with pytest.raises(TrainingError, match=r"the built-in CNN reads uint8 images .* name another retrain"):
        what.check()


def test_half_precision_learns_and_leaves_weights_of_32_bits() -> None:
    what = job(settings())
    learner, cpu = BuiltIn("image", SHAPE, 8, seed=0), torch.device("cpu")
    train, held = Labels.of(what, Slice.TRAIN), Labels.of(what, Slice.HOLDOUT)
    precision = Precision(cpu, torch.bfloat16)
    fitted = fit(learner, train, held, 2, what.settings, lambda _: None, precision=precision)
    assert all(weights.dtype == torch.float32 for weights in learner.net.parameters())
    encoder = Encoder(learner.onnx())
    assert onnx_difference(encoder, learner, {"image": bars(40)[0]}) < 1e-3
    inputs, targets = bars(200, seed=9)
    assert (fitted.head.probs(encoder.embed(inputs)).mean(1).argmax(1) == targets).mean() > 0.95


def test_a_step_whose_scaled_gradient_overflows_is_skipped() -> None:
    precision = Precision(torch.device("cpu"), torch.float16)
    weight = torch.ones(1, requires_grad=True)
    optimiser = AdamW([weight], decay=0.0)
    precision.step((weight * 1e38).sum(), {optimiser: 0.1})
    assert (weight.item(), weight.grad) == (1.0, None)
    precision.step((weight * 2.0).sum(), {optimiser: 0.1})
    assert weight.item() == pytest.approx(0.9)


def test_the_cpu_computes_in_32_bits_unless_told_otherwise() -> None:
    assert Precision.on(torch.device("cpu"), amp=True).half is None
    assert Precision.on(torch.device("cuda"), amp=False).half is None
