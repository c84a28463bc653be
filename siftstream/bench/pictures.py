"""The JPEG files that a benchmark reads: of a folder, of a zip, or made."""

import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from siftstream.bench.failed import BenchFailed

SUFFIXES = (".jpg", ".jpeg")


def images(data: Path | None, count: int, folder: Path, side: int = 32) -> list[str]:
    """Return the URIs of up to `count` JPEG files: of a folder, of a zip (unpacked below `folder`), or made.

    Raises:
        BenchFailed: there is no JPEG in what was given.
    """
    if data is None:
        return [path.as_uri() for path in _made(count, folder.absolute(), side)]
    if data.is_dir():
        paths = sorted(path for path in data.absolute().rglob("*") if path.suffix.lower() in SUFFIXES)[:count]
    else:
        paths = _unpacked(data, count, folder.absolute())
    if not paths:
        raise BenchFailed(f"{data}: no JPEG files in it; give a folder or zip of .jpg files")
    return [path.as_uri() for path in paths]


def _unpacked(data: Path, count: int, folder: Path) -> list[Path]:
    try:
        with zipfile.ZipFile(data) as archive:
            found = sorted(n for n in archive.namelist() if n.lower().endswith(SUFFIXES))[:count]
            folder.mkdir(parents=True, exist_ok=True)
            archive.extractall(folder, found)
    except (OSError, zipfile.BadZipFile) as error:
        raise BenchFailed(f"{data}: neither a folder nor a readable zip ({error})") from error
    return [folder / name for name in found]


def _made(count: int, folder: Path, side: int) -> list[Path]:
    """Write soft shapes with a little noise: about the bytes a pixel of a photograph."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for path in paths:
        coarse = Image.fromarray(rng.integers(0, 255, (max(2, side // 8),) * 2 + (3,), np.uint8))
        soft = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC)).astype(np.int16)
        noisy = (soft + rng.integers(-6, 7, soft.shape, dtype=np.int16)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(path, quality=90)
    return paths
