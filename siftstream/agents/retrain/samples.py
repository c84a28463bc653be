"""The inputs of labelled samples: read again by their URIs, kept on disk as the transform made them."""

import asyncio
import hashlib
from collections.abc import Sequence
from logging import getLogger
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from siftstream.agents.fetch.loaders.cache import Cache
from siftstream.agents.fetch.loaders.reader import Reader
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.agents.fetch.transforms.base import Transform
from siftstream.schemas import TrainingLabel
from siftstream.schemas.arrays import Arrays, Specs, stacked
from siftstream.schemas.errors import LoadError, TransformError

log = getLogger(__name__)


class Samples:
    """Model-ready inputs by sample, through the same loaders, cache and transform as fetch."""

    def __init__(
        self, fetch: FetchSettings, transform: Transform, folder: Path, cache: Cache | None = None
    ) -> None:
        """Args: how to load; what to make of it; the folder that keeps it; the cache of loaded objects."""
        self._fetch = fetch
        self._transform = transform
        self._folder = folder
        self._cache = cache
        self._made_by = f"{type(transform).__name__} {transform.settings!r}"

    @property
    def specs(self) -> Specs:
        """What the arrays of a sample are."""
        return self._transform.specs

    async def of(
        self, labels: Sequence[TrainingLabel]
    ) -> tuple[list[TrainingLabel], dict[str, NDArray[Any]]]:
        """Return the labels whose samples can be had, and their inputs [B, ...] in the same order."""
        async with Reader(self._fetch, self._cache) as reader:
            found = await asyncio.gather(*(self._one(reader, label) for label in labels))
        pairs = [(label, inputs) for label, inputs in zip(labels, found, strict=True) if inputs is not None]
        if len(pairs) < len(labels):
            log.warning(
                "%d labelled samples cannot be read any more and are left out", len(labels) - len(pairs)
            )
        if not pairs:
            return [], {name: spec.empty() for name, spec in self.specs.items()}
        return [label for label, _ in pairs], stacked([inputs for _, inputs in pairs])

    async def _one(self, reader: Reader, label: TrainingLabel) -> Arrays | None:
        name = hashlib.sha256(f"{self._made_by}\n{label.uri}".encode()).hexdigest()
        path = self._folder / f"{name}.safetensors"
        kept = await asyncio.to_thread(self._kept, path)
        if kept is not None:
            return kept
        try:
            async with reader.reading(label.uri) as data:
                return await asyncio.to_thread(self._make, path, data)
        except (LoadError, TransformError) as error:
            log.warning("sample %s: %s", label.sample_id, error)
            return None

    def _kept(self, path: Path) -> Arrays | None:
        try:
            inputs = load_file(path)
        except (OSError, SafetensorError):
            return None
        fits = inputs.keys() == self.specs.keys() and all(
            spec.fits(inputs[name]) for name, spec in self.specs.items()
        )
        return inputs if fits else None

    def _make(self, path: Path, data: bytes) -> Arrays:
        inputs = self._transform(data)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        save_file(inputs, part)
        part.replace(path)
        return inputs
