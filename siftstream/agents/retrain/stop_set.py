"""The stop set: what published versions answer on the same held-out and audit samples of L."""

import asyncio
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.retrain.embedding import embedded
from siftstream.agents.retrain.embeddings import Embeddings
from siftstream.agents.retrain.pool import Snapshot
from siftstream.agents.retrain.samples import Samples
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.loaded import LoadedModel
from siftstream.models.settings import ModelSettings
from siftstream.schemas import ModelVersion, Slice, share_of

MOST: Final = 2_000  # samples; kappa is known to a hundredth from fewer


class StopSet:
    """Lets versions answer; what an encoder made of a sample is known to all trainers of the machine."""

    def __init__(self, model: ModelSettings, samples: Samples, embeddings: Embeddings) -> None:
        """Args: the line and its store; where inputs come from; known embeddings."""
        self._model, self._samples, self._embeddings = model, samples, embeddings
        self._store = ArtifactStore.open(model.artifacts)

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
        made = {
            sha256: await embedded(encoder, uris, self._samples, self._embeddings)
            for sha256, encoder in encoders.items()
        }
        readable_S = np.all([~np.isnan(emb_SD[:, 0]) for emb_SD in made.values()], axis=0)
        if not readable_S.any():
            return []
        return [_answer(model, made[model.encoder.sha256][readable_S]) for model in models]

    def _load(self, version: ModelVersion) -> LoadedModel:
        return LoadedModel.load(version, self._store, self._model, specs=self._samples.specs)


def _answer(model: LoadedModel, emb_SD: NDArray[np.float32]) -> NDArray[np.int64]:
    return model.head.probs(emb_SD).mean(axis=1).argmax(axis=1).astype(np.int64)


def _chosen(pool: Snapshot) -> list[str]:
    """Return the URIs of the stop set: by hash of the ids, so that most of it stays as L grows."""
    kept = pool.where(Slice.HOLDOUT, Slice.AUDIT)
    named = sorted((share_of(pool.ids[row], "stop set"), row) for row in map(int, kept))[:MOST]
    return [pool.uris[row] for _, row in named]
