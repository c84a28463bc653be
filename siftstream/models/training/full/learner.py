"""An encoder that can be trained, whatever library it is of."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from siftstream.models.training.job import Job
from siftstream.models.training.settings import FullSettings
from siftstream.schemas.arrays import Arrays


class Learner(Protocol):
    """Reads what the transform makes, and gives embeddings."""

    @property
    def net(self) -> nn.Module:
        """What is trained."""
        ...

    @property
    def dim(self) -> int:
        """Numbers of an embedding."""
        ...

    @property
    def rate(self) -> float:
        """Peak step size that suits it."""
        ...

    def embed(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return embeddings [B, D] of inputs [B, ...] by name; images may be floats 0..255 as well."""
        ...

    def onnx(self) -> bytes:
        """Return the graph that computes the same from the same inputs, normalisation included."""
        ...

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """Return its weights and all else that it keeps, by name."""
        ...

    def take(self, tensors: Arrays) -> None:
        """Take weights of these very names and shapes."""
        ...


def learner_of(job: Job) -> Learner:
    """Return the encoder that the job's settings name, fresh.

    Raises:
        ConfigError: no such encoder, or its library is not installed.
        ModelError: its weights cannot be had, or the CNN does not read such inputs.
        TrainingError: it fails on the job's inputs, or gives no embedding.
    """
    settings: FullSettings = job.settings.full
    if settings.encoder == "cnn":
        from siftstream.models.training.full.built_in import BuiltIn

        return BuiltIn(next(iter(job.inputs)), job.images().shape[1:], settings.dim, job.settings.seed)
    from siftstream.models.training.full.library import Library

    return Library(job.inputs, job.classes, settings)
