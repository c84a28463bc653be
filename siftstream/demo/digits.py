"""The demo's data: scikit-learn's handwritten digits as PNG files, some held out for ever."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from siftstream.schemas.errors import ConfigError

HELD_OUT = 400
CLASSES = tuple(str(digit) for digit in range(10))
SIDE = 8  # pixels
_DARKEST = 16  # the set's own grey levels: 0..16


@dataclass(frozen=True)
class Digits:
    """Paths of the images that are streamed, in the order of the stream, and of those that judge."""

    stream: tuple[Path, ...]
    holdout: tuple[Path, ...]


def write_digits(folder: Path, seed: int, limit: int | None = None) -> Digits:
    """Write `stream/<class>/<n>.png` and `holdout/<class>/<n>.png`: 8-bit grey, 8 x 8 pixels.

    Args:
        folder: Where to.
        seed: Decides the split and the order of the stream; the same seed gives the same files.
        limit: Images streamed at most; none: all 1,397.

    Raises:
        ConfigError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits  # a second of imports that only the demo pays
    except ImportError as error:
        raise ConfigError(
            "the demo's images come with scikit-learn: pip install 'siftstream[demo]'"
        ) from error
    bunch: Any = load_digits()
    images, targets = bunch.data, bunch.target
    grey = np.rint(images * (255 / _DARKEST)).astype(np.uint8).reshape(-1, SIDE, SIDE)
    held_out, streamed = split(len(grey), seed)

    def written(part: str, rows: list[int]) -> tuple[Path, ...]:
        for name in CLASSES:
            (folder / part / name).mkdir(parents=True, exist_ok=True)
        paths = [folder / part / CLASSES[targets[row]] / f"{row:04d}.png" for row in rows]
        for row, path in zip(rows, paths, strict=True):
            Image.fromarray(grey[row]).save(path)
        return tuple(paths)

    return Digits(written("stream", streamed[:limit]), written("holdout", held_out))


def split(count: int, seed: int) -> tuple[list[int], list[int]]:
    """Return the rows held out and the rows streamed, each in its random order.

    >>> held_out, streamed = split(1797, seed=0)
    >>> len(held_out), len(streamed), set(held_out) & set(streamed)
    (400, 1397, set())
    """
    order = np.random.default_rng(seed).permutation(count).tolist()
    return order[:HELD_OUT], order[HELD_OUT:]


def read_images(paths: tuple[Path, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return images [N, 1, 8, 8] uint8, as the line's transform makes them, and targets [N] int64."""
    images = np.stack([np.asarray(Image.open(path)) for path in paths])[:, None]
    targets = np.array([CLASSES.index(path.parent.name) for path in paths], np.int64)
    return images, targets
