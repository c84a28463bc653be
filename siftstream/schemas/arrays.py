"""Named arrays: a model's inputs, one array a name, the samples along the first axis of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Arrays: TypeAlias = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """Shape (of one sample, no batch axis) and dtype of one named array.

    >>> print(ArraySpec((3, 32, 32), np.dtype(np.uint8)))
    uint8 3x32x32
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        return f"{self.dtype} {'x'.join(map(str, self.shape)) or 'scalar'}"

    def fits(self, array: NDArray[Any]) -> bool:
        """Tell whether one sample's array is exactly this."""
        return array.shape == self.shape and array.dtype == self.dtype

    def empty(self) -> NDArray[Any]:
        """Return an array of no samples."""
        return np.zeros((0, *self.shape), self.dtype)


Specs: TypeAlias = Mapping[str, ArraySpec]


def described(specs: Specs) -> str:
    """Say what the arrays are, for people.

    >>> described({"ids": ArraySpec((8,), np.dtype(np.int64)), "mask": ArraySpec((8,), np.dtype(np.int64))})
    'ids int64 8, mask int64 8'
    """
    return ", ".join(f"{name} {spec}" for name, spec in specs.items())


def rows(arrays: Arrays, which: Any) -> dict[str, NDArray[Any]]:
    """Return the same rows (a slice or indices) of each array."""
    return {name: array[which] for name, array in arrays.items()}


def count(arrays: Arrays) -> int:
    """Return how many samples the arrays hold.

    >>> count({"ids": np.zeros((3, 8)), "mask": np.zeros((3, 8))})
    3

    Raises:
        ValueError: no arrays, or of different lengths.
    """
    lengths = {len(array) for array in arrays.values()}
    if len(lengths) != 1:
        raise ValueError(f"named arrays of lengths {sorted(lengths)}, one length expected")
    return lengths.pop()


def stacked(samples: Sequence[Arrays]) -> dict[str, NDArray[Any]]:
    """Return one array a name out of the arrays of single samples, with a new first axis."""
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}


def joined(parts: Sequence[Arrays]) -> dict[str, NDArray[Any]]:
    """Return the batches one after the other; a single one is returned uncopied.

    Raises:
        ValueError: batches whose names, shapes or dtypes differ.
    """
    first = parts[0]
    if len(parts) == 1:
        return dict(first)
    for part in parts[1:]:
        if part.keys() != first.keys() or any(part[n].dtype != first[n].dtype for n in first):
            raise ValueError("batches with different named arrays cannot be joined")
    return {name: np.concatenate([part[name] for part in parts]) for name in first}
