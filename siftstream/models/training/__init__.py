"""What learns: a training run in a child process, the only place where torch is imported."""

from siftstream.models.training.job import ENCODER, FROZEN, HEAD, Job, Report
from siftstream.models.training.run import Trainer, train

__all__ = ["ENCODER", "FROZEN", "HEAD", "Job", "Report", "Trainer", "train"]
