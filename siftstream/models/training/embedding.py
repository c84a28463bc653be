"""The embeddings of a job's rows, on disk: known ones as they are, others by the encoder. Child only."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from siftstream.models.encoder import Encoder
from siftstream.models.training.fit import Tell
from siftstream.models.training.job import EMBEDDINGS, Job
from siftstream.schemas import Progress
from siftstream.schemas.arrays import rows
from siftstream.schemas.errors import TrainingError

BATCH: Final = 256
COPIED: Final = 65_536  # rows at once


def embedded(job: Job, encoder: Encoder, folder: Path, tell: Tell) -> NDArray[np.float32]:
    """Write embeddings.npy [N, D] and return it, mapped from disk: there may be more than memory holds.

    Raises:
        TrainingError: the known embeddings are not of this encoder.
        InferenceError: the inputs are not what the encoder reads.
    """
    count, path = len(job.targets), folder / EMBEDDINGS
    if job.known is not None and job.known.shape != (count, encoder.dim):
        raise TrainingError(
            f"training job: known embeddings of shape {list(job.known.shape)}, the encoder makes"
            f" [{count}, {encoder.dim}]; delete the folder of known embeddings (`embeddings` in `state`)"
        )
    emb_ND = open_memmap(path, mode="w+", dtype=np.float32, shape=(count, encoder.dim))
    if job.known is not None:
        for at in range(0, count, COPIED):
            emb_ND[at : at + COPIED] = job.known[at : at + COPIED]
    given = np.arange(count) if job.rows is None else job.rows
    for at in range(0, len(given), BATCH):
        tell(Progress(phase="embed", step=at, steps=len(given)))
        part = slice(at, at + BATCH)
        emb_ND[given[part]] = encoder.embed(
            {name: np.asarray(array) for name, array in rows(job.inputs, part).items()}
        )
    emb_ND.flush()
    del emb_ND
    return np.load(path, mmap_mode="r", allow_pickle=False)
