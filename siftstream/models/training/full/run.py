"""A full run: fit, export, compare ONNX Runtime with torch on real samples. Child process only."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from siftstream.models.encoder import Encoder
from siftstream.models.training.fit import Fitted, Tell
from siftstream.models.training.full.fit import fit
from siftstream.models.training.full.labels import Labels, tensors
from siftstream.models.training.full.learner import Learner, learner_of
from siftstream.models.training.full.warm_start import begin_with, weights_file
from siftstream.models.training.job import ENCODER, TENSORS, Job
from siftstream.schemas import Progress, Slice
from siftstream.schemas.arrays import Arrays, count, rows
from siftstream.schemas.errors import InferenceError, TrainingError

_CHECKED = 64  # samples on which the exported graph is compared with torch
_TOLERATED = 2e-3  # largest difference of an embedding number, relative to the largest number


@dataclass(frozen=True, eq=False)
class Full:
    """A trained encoder as it will run, its head, how far it is from torch, and sentences of the run."""

    fitted: Fitted
    encoder: Encoder
    difference: float
    notes: tuple[str, ...]


def train_full(job: Job, folder: Path, tell: Tell) -> Full:
    """Train encoder and heads, leave encoder.onnx and weights.safetensors in the folder.

    Raises:
        TrainingError: the loss is not finite, or the exported graph is not what torch computes.
        ConfigError, ModelError: an encoder that cannot be had, or does not read such inputs.
    """
    torch.manual_seed(job.settings.seed)  # of a library's random weights, and of dropout
    torch.backends.cudnn.deterministic = True
    learner = learner_of(job)
    notes: list[str] = []

    def begin(heads: list[Tensor]) -> None:
        if job.start is not None:
            notes.append(begin_with(job.start, learner, heads))

    train, held = Labels.of(job, Slice.TRAIN), Labels.of(job, Slice.HOLDOUT)
    fitted = fit(learner, train, held, len(job.classes), job.settings, tell, begin)
    tell(Progress(phase="export"))
    learner.net.to("cpu").eval()
    onnx = learner.onnx()
    encoder = Encoder(onnx, threads=job.settings.limits.threads, providers=("cpu",))
    chosen = np.linspace(0, count(job.inputs) - 1, min(_CHECKED, count(job.inputs))).astype(np.intp)
    difference = onnx_difference(encoder, learner, rows(job.inputs, chosen))
    (folder / ENCODER).write_bytes(onnx)
    (folder / TENSORS).write_bytes(weights_file(learner, fitted.heads))
    words = f"the encoder's ONNX differs from torch by {difference:.1e} at most on {len(chosen)} samples"
    return Full(fitted, encoder, difference, (*notes, *fitted.notes, words))


def onnx_difference(encoder: Encoder, learner: Learner, inputs: Arrays) -> float:
    """Return the largest difference of an embedding number between ONNX Runtime and torch.

    Inputs [B, ...] are real samples; the first is also run alone, since some graphs know one batch size only.

    Raises:
        TrainingError: it is more than rounding, or the graph does not run.
    """
    with torch.inference_mode():
        expected = learner.embed(tensors(inputs, torch.device("cpu"))).float().numpy()
    try:
        found, alone = encoder.embed(inputs), encoder.embed(rows(inputs, slice(0, 1)))
    except InferenceError as error:
        raise TrainingError(f"training: the exported encoder does not run on its samples: {error}") from error
    difference = max(float(np.abs(found - expected).max()), float(np.abs(alone - expected[:1]).max()))
    if not difference <= _TOLERATED * max(1.0, float(np.abs(expected).max())):
        raise TrainingError(
            f"training: an embedding of the exported encoder differs from torch's by {difference:.4g},"
            " more than rounding does; no layer of it may depend on chance, or on other samples of a batch"
        )
    return difference
