"""Whether two trained models are the same: byte for byte, or by how much their numbers differ."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from siftstream.schemas.errors import ModelError


@dataclass(frozen=True)
class Sameness:
    """How two models compare; differences are the largest of any number, none where they cannot be taken."""

    head: bool
    """Heads of the same bytes."""
    encoder: bool
    """Encoders of the same bytes."""
    weights: float | None
    """Between the tensors of the heads; none: of other shapes."""
    probs: float | None
    """Between the probabilities of the held-out samples; none: there is no such sample."""
    judged: int = 0

    @property
    def exact(self) -> bool:
        """Whether every byte is the same."""
        return self.head and self.encoder


def tensors_apart(first: bytes, second: bytes) -> float | None:
    """Return the largest difference of a number in two safetensors files; none where names or shapes differ.

    >>> from safetensors.numpy import save
    >>> a, b = (save({"w": np.array([1.0, x], np.float32)}) for x in (2.0, 2.5))
    >>> tensors_apart(a, b), tensors_apart(a, save({"v": np.zeros(2, np.float32)}))
    (0.5, None)

    Raises:
        ModelError: one of them is no safetensors file.
    """
    try:
        ours, theirs = load(first), load(second)
    except (SafetensorError, ValueError) as error:
        raise ModelError(f"head: not a safetensors file: {error}") from error
    if {n: a.shape for n, a in ours.items()} != {n: a.shape for n, a in theirs.items()}:
        return None
    return max(
        (float(np.abs(ours[n].astype(np.float64) - theirs[n]).max()) for n in ours if ours[n].size),
        default=0.0,
    )


def probs_apart(first_BMC: NDArray[np.floating], second_BMC: NDArray[np.floating]) -> float | None:
    """Return the largest difference of a probability; none without samples, or of other shapes."""
    if not len(first_BMC) or first_BMC.shape != second_BMC.shape:
        return None
    return float(np.abs(first_BMC - second_BMC).max())
