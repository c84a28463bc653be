"""The inputs of labelled samples: read again by their URIs, kept on disk as the transform made them."""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from logging import getLogger
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from siftstream.agents.fetch.loaders.cache import Cache
from siftstream.agents.fetch.loaders.reader import Reader
from siftstream.agents.fetch.loaders.redact import redact
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.agents.fetch.transforms.base import Transform
from siftstream.agents.retrain.mapped import mapped, only
from siftstream.models.training import inputs_file
from siftstream.schemas.arrays import Arrays, Specs
from siftstream.schemas.errors import LoadError, TransformError

log = getLogger(__name__)
TAKEN: Final = 256  # samples that are looked for on disk in one go


class Samples:
    """Model-ready inputs by URI, through the same loaders, cache and transform as fetch."""

    def __init__(
        self,
        fetch: FetchSettings,
        transform: Transform,
        folder: Path,
        cache: Cache | None = None,
        *,
        limit: int = 8 << 30,
    ) -> None:
        """Args: how to load; what to make of it; the folder that keeps it; the cache of loaded objects; bytes
        that are kept at most.
        """
        self._fetch = fetch
        self._transform = transform
        self._cache = cache
        self._made = Cache(folder, limit) if limit else None
        self._made_by = f"{type(transform).__name__} {transform.settings!r}"

    @property
    def specs(self) -> Specs:
        """What the arrays of a sample are."""
        return self._transform.specs

    def keys(self, uris: Sequence[str]) -> list[bytes]:
        """Return 16 bytes a sample, which are others where the transform is."""
        start = hashlib.sha256(f"{self._made_by}\n".encode())
        found: list[bytes] = []
        for uri in uris:
            digest = start.copy()
            digest.update(uri.encode())
            found.append(digest.digest()[:16])
        return found

    async def of(
        self, uris: Sequence[str], folder: Path | None = None
    ) -> tuple[NDArray[np.bool_], dict[str, NDArray[Any]]]:
        """Return which samples could be had [B], and the inputs [b, ...] of those, in the same order.

        With a `folder` the inputs lie there, as a training job has them, and are mapped from there: there may
        be more of them than memory holds. How many cannot be read is told once, with the first reason.
        """
        paths, inputs = self._room(len(uris), folder)
        read = np.zeros(len(uris), bool)
        reasons: dict[int, str] = {}
        async with Reader(self._fetch, self._cache) as reader:
            for at in range(0, len(uris), TAKEN):
                part = range(at, min(at + TAKEN, len(uris)))
                await asyncio.to_thread(self._take_kept, uris, part, inputs, read)
            missing = iter(np.flatnonzero(~read).tolist())
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._fetch.in_flight, len(uris))):
                    group.create_task(self._take(reader, uris, missing, inputs, read, reasons))
        if reasons:
            first = min(reasons)
            log.warning(
                "%d of %d labelled samples cannot be read and are left out; the first, %s: %s",
                len(reasons), len(uris), redact(uris[first]), reasons[first],
            )  # fmt: skip
        rows = np.flatnonzero(read)
        if len(rows) == len(uris):
            return read, inputs
        if not paths:
            return read, {name: array[rows] for name, array in inputs.items()}
        return read, {name: await asyncio.to_thread(only, paths[name], inputs[name], rows) for name in inputs}

    def _room(self, count: int, folder: Path | None) -> tuple[dict[str, Path], dict[str, NDArray[Any]]]:
        """Return arrays for so many samples, and where they lie, if not in memory."""
        shapes = {name: (count, *spec.shape) for name, spec in self.specs.items()}
        if folder is None:
            return {}, {name: np.zeros(shapes[name], spec.dtype) for name, spec in self.specs.items()}
        folder.mkdir(parents=True, exist_ok=True)
        paths = {name: folder / inputs_file(number) for number, name in enumerate(self.specs)}
        return paths, {
            name: mapped(paths[name], shapes[name], spec.dtype) for name, spec in self.specs.items()
        }

    def _take_kept(
        self, uris: Sequence[str], part: range, inputs: dict[str, NDArray[Any]], read: NDArray[np.bool_]
    ) -> None:
        """Take what an earlier run made."""
        for row in part:
            found = self._kept(uris[row])
            if found is not None:
                _put(inputs, row, found)
                read[row] = True

    async def _take(
        self,
        reader: Reader,
        uris: Sequence[str],
        missing: Iterator[int],
        inputs: dict[str, NDArray[Any]],
        read: NDArray[np.bool_],
        reasons: dict[int, str],
    ) -> None:
        """Read one missing sample after the other; others do the same, from the same list."""
        for row in missing:
            try:
                async with reader.reading(uris[row]) as data:
                    _put(inputs, row, await asyncio.to_thread(self._make, uris[row], data))
                read[row] = True
            except (LoadError, TransformError) as error:
                reasons[row] = str(error)

    def _kept(self, uri: str) -> Arrays | None:
        kept = self._made.get(self._name(uri)) if self._made is not None else None
        if kept is None:
            return None
        try:
            inputs = load(kept.data)
        except SafetensorError:
            return None
        fits = inputs.keys() == self.specs.keys() and all(
            spec.fits(inputs[name]) for name, spec in self.specs.items()
        )
        return inputs if fits else None

    def _make(self, uri: str, data: bytes) -> Arrays:
        inputs = self._transform(data)
        if self._made is not None:
            self._made.put(self._name(uri), save(inputs), "")
        return inputs

    def _name(self, uri: str) -> str:
        return f"{self._made_by}\n{uri}"


def _put(inputs: dict[str, NDArray[Any]], row: int, sample: Arrays) -> None:
    for name, array in inputs.items():
        array[row] = sample[name]
