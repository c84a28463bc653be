"""Arrays that lie on disk and are mapped into memory: more of them than memory holds."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

COPIED: Final = 1 << 26  # bytes at once


def mapped(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array of zeros at `path`, to be written; disk is taken as it is."""
    if 0 in shape:  # nothing can be mapped
        np.save(path, np.zeros(shape, dtype), allow_pickle=False)
        return np.load(path, allow_pickle=False)
    return open_memmap(path, mode="w+", dtype=dtype, shape=shape)


def only(path: Path, array: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[Any]:
    """Return some rows of the array at `path`, put in its place there; all of them are the array itself."""
    if len(rows) == len(array):
        return array
    part = path.with_name(f"{path.stem}.part.npy")
    kept = mapped(part, (len(rows), *array.shape[1:]), array.dtype)
    size = max(1, COPIED // max(1, array.itemsize * int(np.prod(array.shape[1:], dtype=np.int64))))
    for at in range(0, len(rows), size):
        kept[at : at + size] = array[rows[at : at + size]]
    del kept
    part.replace(path)
    return np.load(path, mmap_mode="r+" if len(rows) else None, allow_pickle=False)
