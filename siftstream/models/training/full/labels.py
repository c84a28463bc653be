"""Labelled samples by row: their inputs stay mapped on disk, a batch at a time goes to the device.

Shape letters: N labels, B batch.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from siftstream.models.training.job import Job
from siftstream.schemas import Slice
from siftstream.schemas.arrays import Arrays


@dataclass(frozen=True, eq=False)
class Labels:
    """N labels, and the rows of `inputs` that they are of."""

    inputs: Arrays
    rows_N: NDArray[np.intp]
    targets_N: NDArray[np.int64]
    weights_N: NDArray[np.float32]

    @classmethod
    def of(cls, job: Job, *slices: Slice) -> "Labels":
        """Return the job's labels of these slices."""
        rows = job.where(*slices)
        return cls(job.inputs, rows, job.targets[rows], job.weights[rows])

    def __len__(self) -> int:
        """Labels."""
        return len(self.rows_N)

    def batch(self, which: Any, device: torch.device) -> dict[str, Tensor]:
        """Return the inputs [B, ...] of some of the labels, as the transform made them."""
        return tensors({name: array[self.rows_N[which]] for name, array in self.inputs.items()}, device)


def tensors(arrays: Arrays, device: torch.device) -> dict[str, Tensor]:
    """Return arrays as tensors on the device."""
    return {
        name: torch.from_numpy(np.ascontiguousarray(array)).to(device, non_blocking=True)
        for name, array in arrays.items()
    }


def is_image(array: Any) -> bool:
    """Tell whether an array [B, ...], of numpy or torch, holds images: whole grey levels of 8 bits."""
    return array.ndim == 4 and str(array.dtype).endswith("uint8")
