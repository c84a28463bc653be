"""Embeddings of labelled samples by encoder, kept on disk: heads are trained without reading a sample again.

A folder an encoder, named by its SHA-256; in it blocks, each a folder that appears whole by a rename:
keys.npy [n] of 16 bytes, sorted, and emb.npy [n, D] float32, mapped when read. A run adds one block; many
small ones are merged. Several trainers of a machine share the folder: what one finds gone, torn or foreign it
passes over. It is a cache: what it lost is computed again.
"""

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.retrain.mapped import mapped

log = getLogger(__name__)
KEY: Final = np.dtype("V16")
_SORTED: Final = np.dtype("S16")  # the same bytes, for NumPy to compare
BLOCKS: Final = 16  # of an encoder; more are merged
ABANDONED_S: Final = 3600.0  # what a killed trainer left half made is deleted after so long
COPIED: Final = 65_536  # rows at once


@dataclass(frozen=True, eq=False)
class _Block:
    """Keys in order and their embeddings, both mapped."""

    folder: Path
    keys_N: NDArray[np.bytes_]
    emb_ND: NDArray[np.float32]


class Embeddings:
    """A cache of embeddings, by encoder and key, within so many bytes; the encoder used last stays longest.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     known = Embeddings(Path(folder) / "embeddings")
    ...     known.keep("ab", [b"cat"], np.ones((1, 2), np.float32))
    ...     known.find("ab", [b"dog", b"cat"]).tolist()
    [[nan, nan], [1.0, 1.0]]
    """

    def __init__(self, folder: Path, limit: int = 8 << 30, *, blocks: int = BLOCKS) -> None:
        """Args: the folder that keeps it; bytes at most, 0 keeps nothing; blocks of an encoder at most."""
        self._folder = folder
        self._limit = limit
        self._blocks = blocks

    def find(
        self, encoder: str, keys: Sequence[bytes], path: Path | None = None
    ) -> NDArray[np.float32] | None:
        """Return the embeddings [N, D] of an encoder, a row nan where not known; none: nothing is known.

        Args:
            encoder: Its SHA-256.
            keys: N keys of at most 16 bytes.
            path: The .npy file that the answer is mapped from; none: it is in memory.
        """
        blocks = list(self._open(encoder))
        if not blocks or not len(keys):
            return None
        wanted_N = _texts(keys)
        order_N = np.argsort(wanted_N, kind="stable")
        wanted_N = wanted_N[order_N]
        shape = len(keys), blocks[0].emb_ND.shape[1]
        found_ND = np.empty(shape, np.float32) if path is None else mapped(path, shape, np.dtype(np.float32))
        found_ND[:] = np.nan
        some = False
        for block in blocks:
            at_N, hit_N = _search(block.keys_N, wanted_N)
            rows, places = order_N[hit_N], at_N[hit_N]
            for start in range(0, len(rows), COPIED):
                part = slice(start, start + COPIED)
                found_ND[rows[part]] = block.emb_ND[places[part]]
            some |= bool(len(rows))
        with contextlib.suppress(OSError):
            os.utime(self._folder / encoder)  # it was of use
        return found_ND if some else None

    def keep(
        self,
        encoder: str,
        keys: Sequence[bytes],
        emb_ND: NDArray[np.float32],
        rows: NDArray[np.intp] | None = None,
    ) -> None:
        """Keep embeddings of an encoder, those that are not known yet; a full disk is only told.

        Args:
            encoder: Its SHA-256.
            keys: A key each.
            emb_ND: Embeddings, nan where there is none; perhaps mapped from disk.
            rows: The rows of them that the keys are of; none: all.
        """
        if not self._limit or not len(keys):
            return
        try:
            blocks = list(self._open(encoder, emb_ND.shape[1]))
            sorted_N, rows_N = np.unique(_texts(keys), return_index=True)
            for block in blocks:
                new_N = ~_search(block.keys_N, sorted_N)[1]
                sorted_N, rows_N = sorted_N[new_N], rows_N[new_N]
            rows_N = rows_N if rows is None else rows[rows_N]
            made_N = np.isfinite(emb_ND[rows_N, 0])
            sorted_N, rows_N = sorted_N[made_N], rows_N[made_N]
            if len(rows_N):
                self._write(encoder, sorted_N, [(np.arange(len(rows_N)), emb_ND, rows_N)])
                if len(blocks) >= self._blocks:
                    self._merge(encoder)
            self._bound(encoder)
        except OSError as error:
            log.warning("retrain: embeddings are not kept in %s: %s", self._folder, error)

    def _open(self, encoder: str, dim: int | None = None) -> Iterator[_Block]:
        """Map the blocks of an encoder, the largest first; none, or of another size, is passed over."""
        found = [_opened(folder) for folder in _folders(self._folder / encoder)]
        blocks = sorted((b for b in found if b is not None), key=lambda block: -len(block.keys_N))
        for block in blocks:
            dim = block.emb_ND.shape[1] if dim is None else dim
            if block.emb_ND.shape[1] == dim:
                yield block

    def _write(
        self,
        encoder: str,
        keys_N: NDArray[np.bytes_],
        sources: Sequence[tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.intp]]],
    ) -> None:
        """Write a block whole or not at all: rows of several arrays, each to its places."""
        parent = self._folder / encoder
        parent.mkdir(parents=True, exist_ok=True)
        part = parent / f".{uuid.uuid4().hex}"
        part.mkdir()
        try:
            np.save(part / "keys.npy", keys_N.view(KEY), allow_pickle=False)
            emb_ND = mapped(part / "emb.npy", (len(keys_N), sources[0][1].shape[1]), np.dtype(np.float32))
            for places, array, rows in sources:
                for at in range(0, len(places), COPIED):
                    emb_ND[places[at : at + COPIED]] = array[rows[at : at + COPIED]]
            if isinstance(emb_ND, np.memmap):
                emb_ND.flush()
            part.rename(parent / f"block-{uuid.uuid4().hex}")
        except OSError:
            shutil.rmtree(part, ignore_errors=True)
            raise

    def _merge(self, encoder: str) -> None:
        """Make one block of all but the largest; a trainer that does the same meanwhile does no harm."""
        blocks = list(self._open(encoder))[1:]
        keys = np.concatenate([block.keys_N for block in blocks])
        owner = np.repeat(np.arange(len(blocks)), [len(block.keys_N) for block in blocks])
        row = np.concatenate([np.arange(len(block.keys_N)) for block in blocks])
        merged, first = np.unique(keys, return_index=True)
        sources = [
            (np.flatnonzero(owner[first] == number), block.emb_ND, row[first][owner[first] == number])
            for number, block in enumerate(blocks)
        ]
        self._write(encoder, merged, sources)
        for block in blocks:
            shutil.rmtree(block.folder, ignore_errors=True)

    def _bound(self, encoder: str) -> None:
        """Delete encoders that were not used for longest, and this one's largest blocks, until all fits."""
        with contextlib.suppress(OSError):
            os.utime(self._folder / encoder)
        encoders = sorted(_folders(self._folder), key=_touched)
        for folder in encoders:
            for part in folder.glob(".*"):
                if time.time() - _touched(part) > ABANDONED_S:
                    shutil.rmtree(part, ignore_errors=True)
        sizes = {folder: _bytes_of(folder) for folder in encoders}
        for folder in encoders:
            if sum(sizes.values()) <= self._limit or folder.name == encoder:
                break
            shutil.rmtree(folder, ignore_errors=True)
            sizes[folder] = 0
        if sum(sizes.values()) > self._limit:
            oldest = sorted(_folders(self._folder / encoder), key=_touched)
            while oldest and _bytes_of(self._folder / encoder) > self._limit:
                shutil.rmtree(oldest.pop(0), ignore_errors=True)


def _texts(keys: Sequence[bytes]) -> NDArray[np.bytes_]:
    return np.array(keys, _SORTED)


def _search(
    keys_N: NDArray[np.bytes_], wanted_K: NDArray[np.bytes_]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return where wanted keys stand among sorted ones [K], and whether they do [K]."""
    if not len(keys_N):
        return np.zeros(len(wanted_K), np.intp), np.zeros(len(wanted_K), bool)
    at_K = np.minimum(np.searchsorted(keys_N, wanted_K), len(keys_N) - 1)
    return at_K, keys_N[at_K] == wanted_K


def _opened(folder: Path) -> _Block | None:
    try:
        keys: NDArray[Any] = np.load(folder / "keys.npy", allow_pickle=False)
        emb: NDArray[Any] = np.load(folder / "emb.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    fits = keys.dtype == KEY and keys.ndim == 1 and emb.ndim == 2 and emb.dtype == np.float32
    if not fits or len(keys) != len(emb):
        return None
    return _Block(folder, keys.view(_SORTED), emb)


def _folders(parent: Path) -> list[Path]:
    """Return the folders in a folder that are whole: names of half made ones begin with a dot."""
    try:
        return [found for found in parent.iterdir() if found.is_dir() and not found.name.startswith(".")]
    except OSError:
        return []


def _touched(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _bytes_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total
