"""CIFAR-10's test part as weak features: gradients by direction and colours of 4x4 cells, 192 numbers."""

import io
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.label_savings.data import Data

CELLS = 4
DIRECTIONS = 9


def cifar(path: Path) -> Data:
    """Read the 10,000 JPEGs `cifar10/test/<class>/<n>.jpg` of the zip; features standardised over the set."""
    features: list[NDArray[np.float64]] = []
    labels: list[str] = []
    with ZipFile(path) as files:
        for name in sorted(name for name in files.namelist() if "/test/" in name and name.endswith(".jpg")):
            with Image.open(io.BytesIO(files.read(name))) as image:
                features.append(_features(np.asarray(image.convert("RGB"), np.float64) / 255))
            labels.append(name.split("/")[-2])
    features_ND = np.stack(features)
    features_ND = (features_ND - features_ND.mean(axis=0)) / features_ND.std(axis=0)
    _, classes_N = np.unique(labels, return_inverse=True)
    return Data(features_ND.astype(np.float32), classes_N.astype(np.int64))


def _features(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the root of each cell's gradient strength by direction, and its mean colour, of [H, W, 3]."""
    down, right = np.gradient(image.mean(axis=2))
    direction = (np.arctan2(down, right) % np.pi / np.pi * DIRECTIONS).astype(np.int64) % DIRECTIONS
    strength = np.hypot(down, right)[..., None] * np.eye(DIRECTIONS)[direction]
    return np.concatenate([np.sqrt(_cells(strength)).ravel(), _cells(image).ravel()])


def _cells(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over each cell of [H, W, K], [CELLS, CELLS, K]."""
    height, width, depth = values.shape
    parts = values.reshape(CELLS, height // CELLS, CELLS, width // CELLS, depth)
    return parts.mean(axis=(1, 3))
