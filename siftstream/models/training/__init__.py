"""What learns: a training run in a child process, the only place where torch is imported."""

from siftstream.models.training.job import (
    EMBEDDINGS,
    ENCODER,
    FROZEN,
    HEAD,
    KNOWN,
    TENSORS,
    Job,
    Report,
    inputs_file,
)
from siftstream.models.training.run import Trainer, train

__all__ = [
    "EMBEDDINGS",
    "ENCODER",
    "FROZEN",
    "HEAD",
    "KNOWN",
    "TENSORS",
    "Job",
    "Report",
    "Trainer",
    "inputs_file",
    "train",
]
