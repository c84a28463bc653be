"""One training run from folder to folder: fit, export, check, calibrate. Child process only."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from siftstream.models.calibration import fit_temperature
from siftstream.models.cnn import cnn_onnx
from siftstream.models.encoder import Encoder
from siftstream.models.head import Head
from siftstream.models.training.fit import Fitted, Progress, fit_full, fit_heads
from siftstream.models.training.job import ENCODER, HEAD, Job, Report
from siftstream.models.training.net import Cnn, normalise
from siftstream.schemas import Slice
from siftstream.schemas.arrays import Arrays, rows
from siftstream.schemas.errors import TrainingError

_BATCH = 256
_FOLDS = 5
_CHECKED = 64  # samples on which the exported graph is compared with torch
_TOLERATED = 1e-2  # largest difference of an embedding number, relative to the largest number


def run_job(folder: Path, progress: Progress) -> Report:
    """Train what the folder says, leave encoder and head in it, and return the report.

    Only slice `train` is learned from; `holdout` and `audit` set the temperature and nothing else.

    Raises:
        TrainingError, ModelError, InferenceError: what was wrong, in a sentence.
    """
    started = time.monotonic()
    job = Job.read(folder)
    torch.set_num_threads(job.settings.threads)
    train, held = job.where(Slice.TRAIN), job.where(Slice.HOLDOUT, Slice.AUDIT)
    if job.settings.mode == "full":
        fitted, encoder, difference = _full(job, train, folder, progress)
        train_emb = None
    else:
        encoder = Encoder(job.frozen or b"", threads=job.settings.threads, providers=("cpu",))
        train_emb, difference = embed(encoder, job.inputs, train), 0.0
        fitted = _fit_heads(job, train_emb, train, progress)
    held_emb = embed(encoder, job.inputs, held)
    head, origin = _calibrate(job, fitted.head, held_emb, held, train_emb, train)
    (folder / HEAD).write_bytes(head.to_bytes())
    return Report(
        trained_on=len(train),
        held_out=len(held),
        temperature=head.temperature,
        temperature_from=origin,
        train_loss=fitted.loss,
        onnx_difference=difference,
        steps=fitted.steps,
        seconds=time.monotonic() - started,
    )


def embed(encoder: Encoder, inputs: Arrays, which: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the embeddings [len(which), D] of these rows, a batch at a time."""
    parts = [encoder.embed(rows(inputs, which[at : at + _BATCH])) for at in range(0, len(which), _BATCH)]
    return np.concatenate(parts) if parts else np.zeros((0, encoder.dim), np.float32)


def _full(
    job: Job, train: NDArray[np.intp], folder: Path, progress: Progress
) -> tuple[Fitted, Encoder, float]:
    images = job.images()
    inputs = np.asarray(images[train])
    fitted = fit_full(
        inputs, job.targets[train], job.weights[train], len(job.classes), job.settings, progress
    )
    assert fitted.weights is not None
    assert fitted.net is not None
    onnx = cnn_onnx(fitted.weights, images.shape[1:])
    encoder = Encoder(onnx, threads=job.settings.threads, providers=("cpu",))
    difference = onnx_difference(encoder, fitted.net, images[:_CHECKED])
    (folder / ENCODER).write_bytes(onnx)
    return fitted, encoder, difference


def onnx_difference(encoder: Encoder, net: Cnn, inputs: NDArray[np.generic]) -> float:
    """Return the largest difference of an embedding number between ONNX Runtime and torch.

    Raises:
        TrainingError: it is more than rounding.
    """
    device = next(net.parameters()).device
    with torch.inference_mode():
        expected = net(normalise(torch.from_numpy(np.array(inputs)).to(device))).cpu().numpy()
    difference = float(np.abs(encoder.embed(np.asarray(inputs)) - expected).max())
    if not difference <= _TOLERATED * max(1.0, float(np.abs(expected).max())):
        raise TrainingError(f"training: the exported encoder differs from torch by {difference:.4g}")
    return difference


def _fit_heads(job: Job, emb_ND: NDArray[np.float32], rows: NDArray[np.intp], progress: Progress) -> Fitted:
    return fit_heads(emb_ND, job.targets[rows], job.weights[rows], len(job.classes), job.settings, progress)


def _calibrate(
    job: Job,
    head: Head,
    held_emb: NDArray[np.float32],
    held: NDArray[np.intp],
    train_emb: NDArray[np.float32] | None,
    train: NDArray[np.intp],
) -> tuple[Head, str]:
    """Return the head with its temperature, and which samples it came from."""
    if len(held) >= job.settings.calibrate_from:
        return replace(head, temperature=fit_temperature(head.logits(held_emb), job.targets[held])), "holdout"
    if train_emb is None or len(train) < job.settings.calibrate_from:
        return head, "none"
    logits = np.zeros((len(train), head.members, head.classes), np.float32)
    folds = np.random.default_rng(job.settings.seed).permutation(len(train)) % _FOLDS
    for fold in range(_FOLDS):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        fitted = _fit_heads(job, train_emb[inside], train[inside], lambda *_: None)
        logits[outside] = fitted.head.logits(train_emb[outside])
    return replace(head, temperature=fit_temperature(logits, job.targets[train])), "folds"
