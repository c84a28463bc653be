"""The inputs of labelled samples: read again by their URIs, kept on disk by id."""

import asyncio
import hashlib
from collections.abc import Sequence
from logging import getLogger
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.fetch.loaders.reader import Reader
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.agents.fetch.transforms.base import Transform
from siftstream.schemas import TrainingLabel
from siftstream.schemas.errors import LoadError, TransformError

log = getLogger(__name__)


class Samples:
    """Model-ready inputs by sample, through the same loaders and transform as fetch."""

    def __init__(self, fetch: FetchSettings, transform: Transform, cache: Path) -> None:
        """Args: how to load; what to make of it; the folder that keeps it (a cache, never needed)."""
        self._fetch = fetch
        self._transform = transform
        self._cache = cache

    async def of(self, labels: Sequence[TrainingLabel]) -> tuple[list[TrainingLabel], NDArray[Any]]:
        """Return the labels whose samples can be had, and their inputs [B, ...] in the same order."""
        async with Reader(self._fetch) as reader:
            found = await asyncio.gather(*(self._one(reader, label) for label in labels))
        pairs = [(label, inputs) for label, inputs in zip(labels, found, strict=True) if inputs is not None]
        if len(pairs) < len(labels):
            log.warning(
                "%d labelled samples cannot be read any more and are left out", len(labels) - len(pairs)
            )
        empty = np.zeros((0, *self._transform.shape), self._transform.dtype)
        return [label for label, _ in pairs], np.stack([i for _, i in pairs]) if pairs else empty

    async def _one(self, reader: Reader, label: TrainingLabel) -> NDArray[Any] | None:
        path = self._cache / f"{hashlib.sha256(label.uri.encode()).hexdigest()}.npy"
        kept = await asyncio.to_thread(self._kept, path)
        if kept is not None:
            return kept
        try:
            data = await reader.read(label.uri)
            return await asyncio.to_thread(self._make, path, data)
        except (LoadError, TransformError) as error:
            log.warning("sample %s: %s", label.sample_id, error)
            return None

    def _kept(self, path: Path) -> NDArray[Any] | None:
        try:
            inputs = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        fits = inputs.shape == self._transform.shape and inputs.dtype == self._transform.dtype
        return inputs if fits else None

    def _make(self, path: Path, data: bytes) -> NDArray[Any]:
        inputs = self._transform(data)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npy")
        np.save(part, inputs, allow_pickle=False)
        part.replace(path)
        return inputs
