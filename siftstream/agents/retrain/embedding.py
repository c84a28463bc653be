"""Embeddings of labelled samples by any encoder: known ones from disk, others by reading the samples."""

import asyncio
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.retrain.embeddings import Embeddings
from siftstream.agents.retrain.samples import Samples
from siftstream.models.encoder import Encoder
from siftstream.schemas.arrays import rows

_BATCH: Final = 256
_READ: Final = 4096  # samples whose inputs are in memory at once


async def embedded(
    encoder: Encoder, uris: Sequence[str], samples: Samples, embeddings: Embeddings
) -> NDArray[np.float32]:
    """Return the embeddings [N, D], a row nan where the sample cannot be read; what was not known is kept.

    Raises:
        InferenceError: the inputs are not what the encoder reads.
    """
    keys = samples.keys(uris)
    emb_ND = await asyncio.to_thread(embeddings.find, encoder.sha256, keys)
    if emb_ND is None:
        emb_ND = np.full((len(uris), encoder.dim), np.nan, np.float32)
    unknown = np.flatnonzero(np.isnan(emb_ND[:, 0]))
    for start in range(0, len(unknown), _READ):
        some: NDArray[np.intp] = unknown[start : start + _READ]
        read, inputs = await samples.of([uris[row] for row in map(int, some)])
        some = some[read]
        for at in range(0, len(some), _BATCH):
            part = slice(at, at + _BATCH)
            emb_ND[some[part]] = await asyncio.to_thread(encoder.embed, rows(inputs, part))
    made = [keys[row] for row in unknown]
    await asyncio.to_thread(embeddings.keep, encoder.sha256, made, emb_ND[unknown])
    return emb_ND
