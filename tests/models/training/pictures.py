"""Pictures of one bar, and jobs of full mode on them."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from siftstream.models.training.job import Job
from siftstream.models.training.settings import TrainSettings
from siftstream.schemas import Slice
from siftstream.schemas.arrays import Arrays

SHAPE = (1, 8, 8)
CLASSES = ("up", "across")


def bars(count: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return noisy images of one bar, upright (0) or across (1)."""
    rng = np.random.default_rng(seed)
    inputs = rng.integers(0, 60, (count, *SHAPE)).astype(np.uint8)
    targets = rng.integers(0, 2, count)
    for image, target in zip(inputs, targets, strict=True):
        place = rng.integers(1, 7)
        image[(0, slice(None), place) if target == 0 else (0, place, slice(None))] = 250
    return inputs, targets.astype(np.int64)


def settings(seed: int = 0, members: int = 1, **full: Any) -> TrainSettings:
    """Return settings of a short full run."""
    fast = {"epochs": 5, "min_steps": 40, "dim": 8, **full}
    return TrainSettings.model_validate({"mode": "full", "seed": seed, "members": members, "full": fast})


def job(
    how: TrainSettings,
    count: int = 60,
    held: int = 20,
    inputs: Arrays | None = None,
    start: bytes | None = None,
) -> Job:
    """Return a job: `count` labels to train on, then holdout and audit in turn; one thread."""
    torch.set_num_threads(1)
    images, targets = bars(count + held)
    slices = (Slice.TRAIN,) * count + (Slice.HOLDOUT, Slice.AUDIT) * (held // 2)
    given = {"image": images} if inputs is None else inputs
    return Job(given, targets, np.ones(count + held, np.float32), slices, CLASSES, how, start=start)
