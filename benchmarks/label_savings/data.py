"""A data set of frozen features, and the folder that keeps features which take long to make."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Data:
    """Features [N, D] float32 that no label changes, and classes [N] from 0."""

    features_ND: NDArray[np.float32]
    classes_N: NDArray[np.int64]

    @property
    def classes(self) -> int:
        """Number of classes, C."""
        return int(self.classes_N.max()) + 1


def digits() -> Data:
    """Return scikit-learn's 1,797 handwritten digits; features are the 64 grey levels from 0 to 1."""
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    return Data((bunch.data / 16).astype(np.float32), bunch.target.astype(np.int64))


def kept(folder: Path, name: str, source: Path, make: Callable[[Path], Data]) -> Path:
    """Return the file in `folder` with the features of `source`, made on the first call.

    The file's name holds the digest of `source`: another file gets other features.
    """
    digest = sha256(source.read_bytes()).hexdigest()[:12]
    path = folder / f"{name}-{digest}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        data = make(source)
        part = path.with_suffix(".part.npz")  # a run cut off leaves no half file under the final name
        np.savez(part, features_ND=data.features_ND, classes_N=data.classes_N)
        part.rename(path)
    return path


def load(path: Path) -> Data:
    """Return what `kept` keeps."""
    with np.load(path) as arrays:
        return Data(arrays["features_ND"], arrays["classes_N"])
