"""Embeddings as a fit reads them: standardised, a chunk at a time, in memory only where they are few.

Shape letters here and beside: N training labels, B rows of a chunk, D embedding dimension.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from siftstream.schemas.errors import TrainingError

HELD: Final = 512 << 20  # bytes of features that are kept standardised; more is done anew in each pass
CHUNK: Final = 8192  # rows
FLAT: Final = 1e-6  # deviation under which a number says nothing


class Features:
    """Rows of embeddings, each number with mean 0 and deviation 1 over them.

    >>> features = Features(np.array([[1.0, 5.0], [3.0, 5.0]], np.float32))
    >>> features.of(np.array([0, 1])).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]

    Raises:
        TrainingError: an embedding that is not finite.
    """

    def __init__(
        self, emb_ND: NDArray[np.float32], rows_N: NDArray[np.intp] | None = None, *, held: int = HELD
    ) -> None:
        """Args: embeddings, perhaps mapped from disk; which of them, none: all; bytes that may be held."""
        self._emb, self._rows = emb_ND, rows_N
        self.count = len(emb_ND) if rows_N is None else len(rows_N)
        self.dim = emb_ND.shape[1]
        self.mean_D, self.scale_D = self._moments()
        self._held: Tensor | None = None
        if self.count * self.dim * 4 <= held:
            self._held = torch.empty(self.count, self.dim)
            for part in self._parts():
                self._held[part] = self._read(part)

    def chunks(self) -> Iterator[tuple[slice, Tensor]]:
        """Go through all rows once: which they are, and the features [B, D] of them."""
        for part in self._parts():
            yield part, self._read(part) if self._held is None else self._held[part]

    def some(self, rows_B: NDArray[np.intp]) -> "Features":
        """Return the features of some rows alone, standardised among themselves."""
        return Features(self._emb, rows_B if self._rows is None else self._rows[rows_B])

    def of(self, rows_B: NDArray[np.intp]) -> Tensor:
        """Return the features [B, D] of some rows."""
        return self._read(rows_B) if self._held is None else self._held[torch.from_numpy(rows_B)]

    def _parts(self) -> Iterator[slice]:
        for at in range(0, self.count, CHUNK):
            yield slice(at, min(at + CHUNK, self.count))

    def _raw(self, which: "slice | NDArray[np.intp]") -> NDArray[np.float32]:
        return self._emb[which] if self._rows is None else self._emb[self._rows[which]]

    def _read(self, which: "slice | NDArray[np.intp]") -> Tensor:
        return torch.from_numpy(((self._raw(which) - self.mean_D) * self.scale_D).astype(np.float32))

    def _moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and inverse deviation, 0 where there is none; twice read, for what lies far from 0."""
        total = sum(self._raw(part).sum(axis=0, dtype=np.float64) for part in self._parts())
        mean_D = np.asarray(total) / self.count
        if not np.isfinite(mean_D).all():
            raise TrainingError(
                "training: an embedding is not finite; look at the encoder, or delete the folder of known"
                " embeddings (`embeddings` in `state`)"
            )
        squares = sum(np.square(self._raw(part) - mean_D).sum(axis=0) for part in self._parts())
        deviation_D = np.sqrt(np.asarray(squares) / self.count)
        return mean_D, np.where(deviation_D > FLAT, 1.0 / np.maximum(deviation_D, FLAT), 0.0)
