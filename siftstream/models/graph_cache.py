"""Graphs that took long to make, kept in a folder: found again by key, never half written, never too many."""

import contextlib
import hashlib
import os
import tempfile
from logging import getLogger
from pathlib import Path
from typing import Final

KEPT: Final = 16  # graphs
ENGINES: Final = 2 * KEPT  # TensorRT writes an engine and its profile
_DIGEST: Final = hashlib.sha256().digest_size
log = getLogger(__name__)


class GraphCache:
    """Files of one folder that several workers may share.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cache = GraphCache(Path(folder))
    ...     cache.put("encoder-fp16", b"graph")
    ...     cache.get("encoder-fp16"), cache.get("encoder-fp32")
    (b'graph', None)
    """

    def __init__(self, folder: Path, keep: int = KEPT) -> None:
        self._folder, self._keep = folder, keep

    def get(self, key: str) -> bytes | None:
        """Return what was put under `key`; a damaged file is dropped, so that it is made anew."""
        path = self._path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        data = content[_DIGEST:]
        if hashlib.sha256(data).digest() != content[:_DIGEST]:
            log.warning("graph cache: %s is damaged and is made anew", path.name)
            _remove(path)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # the newest used stay
        return data

    def put(self, key: str, data: bytes) -> None:
        """Keep `data` under `key`; a folder that cannot be written costs a warning, not the model."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
            try:
                with os.fdopen(number, "wb") as file:
                    file.write(hashlib.sha256(data).digest() + data)
                Path(name).replace(self._path(key))
            except OSError:
                _remove(Path(name))
                raise
        except OSError as error:
            log.warning("graph cache: %s cannot be written: %s", self._folder, error.strerror)
        _keep_newest(self._folder, "*.graph", self._keep)

    def engines(self) -> Path | None:
        """Return the folder where TensorRT keeps its own files, the oldest of them gone; None: no room."""
        folder = self._folder / "tensorrt"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            log.warning("graph cache: %s cannot be made: %s", folder, error.strerror)
            return None
        _keep_newest(folder, "*", ENGINES)
        return folder

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.graph"


def _keep_newest(folder: Path, pattern: str, most: int) -> None:
    found: list[tuple[float, Path]] = []
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError):  # another worker was faster
            found.append((path.stat().st_mtime, path))
    for _, path in sorted(found, reverse=True)[most:]:
        _remove(path)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
