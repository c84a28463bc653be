"""The stop set: what published versions answer on the same held-out and audit samples of L."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.retrain.pool import Snapshot
from siftstream.agents.retrain.samples import Samples
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.encoder import Encoder
from siftstream.models.loaded import LoadedModel
from siftstream.models.settings import ModelSettings
from siftstream.schemas import ModelVersion, Slice, share_of
from siftstream.schemas.arrays import rows

MOST: Final = 2_000  # samples; kappa is known to a hundredth from fewer
_BATCH: Final = 256


class StopSet:
    """Lets versions answer; an encoder embeds a sample once."""

    def __init__(self, model: ModelSettings, samples: Samples) -> None:
        """Args: the line and its store; where inputs come from."""
        self._model, self._samples = model, samples
        self._store = ArtifactStore.open(model.artifacts)
        self._known: dict[str, dict[str, NDArray[np.float32] | None]] = {}  # by encoder and sample id

    async def answers(self, versions: Sequence[ModelVersion], pool: Snapshot) -> list[NDArray[np.int64]]:
        """Return the class numbers [S] that each version gives to the same S samples; no samples: nothing.

        Raises:
            ModelError: a version cannot be loaded.
            UnavailableError: something outside is away for now.
        """
        uris = _chosen(pool)
        if not uris or not versions:
            return []
        models = [await asyncio.to_thread(self._load, version) for version in versions]
        encoders = {model.encoder.sha256: model.encoder for model in models}
        self._known = {sha256: self._known.get(sha256, {}) for sha256 in encoders}
        for encoder in encoders.values():
            await self._embed(encoder, uris)
        readable = [name for name in uris if all(known[name] is not None for known in self._known.values())]
        if not readable:
            return []
        return [self._answer(model, readable) for model in models]

    def _load(self, version: ModelVersion) -> LoadedModel:
        return LoadedModel.load(version, self._store, self._model, specs=self._samples.specs)

    def _answer(self, model: LoadedModel, names: Sequence[str]) -> NDArray[np.int64]:
        known = self._known[model.encoder.sha256]
        emb_SD = np.stack([emb for name in names if (emb := known[name]) is not None])
        return model.head.probs(emb_SD).mean(axis=1).argmax(axis=1).astype(np.int64)

    async def _embed(self, encoder: Encoder, uris: Mapping[str, str]) -> None:
        """Embed what this encoder has not yet; what cannot be read any more stays none."""
        known = self._known[encoder.sha256]
        for name in known.keys() - uris.keys():
            del known[name]
        new = [name for name in uris if name not in known]
        read, inputs = await self._samples.of([uris[name] for name in new])
        known.update(dict.fromkeys(new))
        found = [name for name, was_read in zip(new, read, strict=True) if was_read]
        for at in range(0, len(found), _BATCH):
            part = slice(at, at + _BATCH)
            emb_BD = await asyncio.to_thread(encoder.embed, rows(inputs, part))
            known.update(zip(found[part], emb_BD, strict=True))


def _chosen(pool: Snapshot) -> dict[str, str]:
    """Return the URIs of the stop set by id: by hash, so that most of it stays as L grows."""
    kept = pool.where(Slice.HOLDOUT, Slice.AUDIT)
    named = sorted((share_of(pool.ids[row], "stop set"), row) for row in map(int, kept))[:MOST]
    return {pool.ids[row]: pool.uris[row] for _, row in named}
