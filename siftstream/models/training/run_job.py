"""One training run from folder to folder: embed or train, fit, calibrate. Child process only."""

import time
from dataclasses import replace
from pathlib import Path

import torch

from siftstream.models.encoder import Encoder
from siftstream.models.training.calibrating import calibrate
from siftstream.models.training.embedding import embedded
from siftstream.models.training.fit import Tell
from siftstream.models.training.full import train_full
from siftstream.models.training.heads import fit_heads
from siftstream.models.training.job import HEAD, Job, Report
from siftstream.schemas import Progress, Slice


def run_job(folder: Path, tell: Tell) -> Report:
    """Train what the folder says, leave what `job` names in it, and return the report.

    Only slice `train` is learned from; `holdout` and `audit` set the calibration and, where early stopping is
    asked for, the number of epochs.

    Raises:
        TrainingError, ModelError, InferenceError: what was wrong, in a sentence.
    """
    started = time.monotonic()
    tell(Progress(phase="read"))
    job = Job.read(folder)
    torch.set_num_threads(job.settings.limits.threads)
    train, held = job.where(Slice.TRAIN), job.where(Slice.HOLDOUT, Slice.AUDIT)
    difference, notes = 0.0, ()
    if job.settings.mode == "full":
        full = train_full(job, folder, tell)
        fitted, difference, notes = full.fitted, full.difference, full.notes
        emb_ND = embedded(job, full.encoder, folder, tell)
    else:
        encoder = Encoder(job.frozen or b"", threads=job.settings.limits.threads, providers=("cpu",))
        emb_ND = embedded(job, encoder, folder, tell)
        fitted = fit_heads(
            emb_ND, job.targets[train], job.weights[train], len(job.classes), job.settings, tell, rows_N=train
        )
        job = with_l2(job, fitted.l2)  # folds for the calibration need not look for it again
    head, origin, method = calibrate(job, fitted.head, emb_ND, tell)
    (folder / HEAD).write_bytes(head.to_bytes())
    return Report(
        trained_on=len(train), held_out=len(held), temperature=head.temperature, calibrated_on=origin,
        calibrated_by=method, train_loss=fitted.loss, onnx_difference=difference, steps=fitted.steps,
        notes=notes, seconds=time.monotonic() - started,
    )  # fmt: skip


def with_l2(job: Job, l2: float) -> Job:
    """Return the job with the strength of the prior that was found."""
    head = job.settings.head.model_copy(update={"l2": l2})
    return replace(job, settings=job.settings.model_copy(update={"head": head}))
