"""What an experiment learns from, as a folder: inputs, classes, embeddings, how to train; no pickle anywhere.

material.json; inputs-0.npy and so on [N, ...], classes.npy [N] int64; in head mode frozen.onnx and
embeddings.npy [N, D] float32. The processes that train map the arrays, so that they share one copy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from siftstream.experiment.split import Split
from siftstream.models.training.settings import TrainSettings
from siftstream.schemas.arrays import Arrays

_SPEC, _CLASSES, _EMBEDDINGS, _FROZEN = "material.json", "classes.npy", "embeddings.npy", "frozen.onnx"
_CHUNK = 1 << 24  # bytes hashed at a time


class _Spec(BaseModel):
    classes: tuple[str, ...]
    inputs: tuple[str, ...]
    train: TrainSettings
    share: float | None
    pool: int


@dataclass(frozen=True, eq=False)
class Material:
    """Labelled samples and how to train on them."""

    inputs: Arrays
    classes_N: NDArray[np.int64]
    classes: tuple[str, ...]
    train: TrainSettings
    share: float | None
    """The share to test on, drawn anew by each seed; none: all from row `pool` on are tested on."""
    pool: int
    encoder: bytes | None = None
    """What stays frozen (head mode)."""
    emb_ND: NDArray[np.float32] | None = None
    """What it makes of the samples."""

    def __len__(self) -> int:
        return len(self.classes_N)

    def split(self, seed: int) -> Split:
        """Return what a seed tests on and chooses from."""
        if self.share is None:
            return Split.after(self.pool, len(self), seed)
        return Split.of(len(self), seed, self.share)

    def write(self, folder: Path) -> None:
        """Write it; `folder` is made where it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        for number, array in enumerate(self.inputs.values()):
            np.save(folder / f"inputs-{number}.npy", array, allow_pickle=False)
        np.save(folder / _CLASSES, self.classes_N, allow_pickle=False)
        if self.emb_ND is not None and self.encoder is not None:
            np.save(folder / _EMBEDDINGS, self.emb_ND, allow_pickle=False)
            (folder / _FROZEN).write_bytes(self.encoder)
        (folder / _SPEC).write_text(self._spec())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `write` wrote."""
        spec = _Spec.model_validate_json((folder / _SPEC).read_bytes())
        head = (folder / _FROZEN).exists()
        return cls(
            {name: _mapped(folder / f"inputs-{number}.npy") for number, name in enumerate(spec.inputs)},
            np.load(folder / _CLASSES, allow_pickle=False),
            spec.classes,
            spec.train,
            spec.share,
            spec.pool,
            (folder / _FROZEN).read_bytes() if head else None,
            _mapped(folder / _EMBEDDINGS) if head else None,
        )

    def digest(self) -> str:
        """Return what names this material: other data, settings or release, another digest."""
        found = sha256(f"{version('siftstream')}\n{self._spec()}".encode())
        found.update(self.encoder or b"")
        for array in (*self.inputs.values(), self.classes_N, self.emb_ND):
            if array is not None:
                _each_part(array, found.update)
        return found.hexdigest()[:16]

    def _spec(self) -> str:
        return _Spec(
            classes=self.classes,
            inputs=tuple(self.inputs),
            train=self.train,
            share=self.share,
            pool=self.pool,
        ).model_dump_json(indent=2)


def _each_part(array: NDArray[Any], hear: Callable[[bytes], None]) -> None:
    rows = max(1, _CHUNK // max(1, array[:1].nbytes))
    for at in range(0, len(array), rows):
        hear(np.ascontiguousarray(array[at : at + rows]).tobytes())


def _mapped(path: Path) -> NDArray[Any]:
    return np.load(path, mmap_mode="r", allow_pickle=False)
