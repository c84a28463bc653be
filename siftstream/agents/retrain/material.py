"""What a run learns from: the labels whose samples can be had, and the job for the trainer's child.

In head mode no sample is read whose embedding by the frozen encoder is known; in full mode all are, into the
job's folder, so that there may be more of them than memory holds.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.retrain.embeddings import Embeddings
from siftstream.agents.retrain.mapped import mapped, only
from siftstream.agents.retrain.pool import Snapshot
from siftstream.agents.retrain.pseudo import Pseudo, PseudoLabels, joined_by, real
from siftstream.agents.retrain.samples import Samples
from siftstream.agents.retrain.weighing import weighed
from siftstream.models.judging.crossing import folds_of
from siftstream.models.training import KNOWN, Job
from siftstream.models.training.settings import TrainSettings
from siftstream.schemas import ModelVersion, Slice


@dataclass(frozen=True, eq=False)
class Material:
    """The labels that a job is of, pseudo-labels after the others, and the job."""

    pool: Snapshot
    job: Job

    @property
    def real(self) -> NDArray[np.bool_]:
        """Which labels [N] somebody gave."""
        return real(self.pool)


class Gathering:
    """Makes jobs of snapshots."""

    def __init__(
        self,
        settings: TrainSettings,
        classes: tuple[str, ...],
        samples: Samples,
        embeddings: Embeddings,
        pseudo: PseudoLabels | None = None,
    ) -> None:
        """Args: how; class names; where inputs come from; known embeddings; where pseudo-labels come from."""
        self._settings, self._classes = settings, classes
        self._samples, self._embeddings, self._pseudo = samples, embeddings, pseudo

    async def gather(
        self,
        pool: Snapshot,
        folder: Path,
        at: float,
        *,
        encoder: bytes,
        live: ModelVersion | None,
        start: bytes | None,
    ) -> Material:
        """Return what there is to learn from a pool at a time, seconds since the epoch.

        Args:
            pool: L.
            folder: The job's.
            at: From when labels' ages are counted.
            encoder: The one that stays frozen, in head mode.
            live: The version whose answers pseudo-labels are.
            start: Weights to begin with, in full mode.

        Raises:
            UnavailableError: Kafka is away for now.
        """
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        frozen = encoder if self._settings.mode == "head" else None
        pseudo = await self._pseudo.of(pool, live) if self._pseudo is not None and live is not None else None
        if pseudo is not None:
            pool = joined_by(pool, pseudo)
        known = await asyncio.to_thread(self._known, pool, pseudo, frozen, folder / KNOWN)
        unknown = np.arange(len(pool)) if known is None else np.flatnonzero(np.isnan(known[:, 0]))
        read, inputs = await self._samples.of([pool.uris[row] for row in unknown.tolist()], folder)
        readable = np.setdiff1d(np.arange(len(pool)), unknown[~read])
        if len(readable) < len(pool):
            pool = await asyncio.to_thread(pool.rows, readable)
            known = None if known is None else await asyncio.to_thread(only, folder / KNOWN, known, readable)
        job = Job(
            inputs=inputs,
            targets=pool.classes_N,
            weights=self._weights(pool, at),
            slices=pool.slices_N,
            classes=self._classes,
            settings=self._settings,
            frozen=frozen,
            rows=None if frozen is None else np.searchsorted(readable, unknown[read]).astype(np.int64),
            known=known,
            start=start,
            folds=folds_of(pool.ids, pool.where(Slice.HOLDOUT, Slice.AUDIT)),
        )
        return Material(pool, job)

    def keep(self, material: Material, encoder: str, emb_ND: NDArray[np.float32]) -> None:
        """Keep the embeddings of an encoder (SHA-256) that are asked for again.

        All of a frozen one; of one that was just trained those of held-out samples, by which the next
        candidate is compared with it. What came along with a pseudo-label has half the precision.
        """
        frozen = material.job.frozen is not None
        rows = np.flatnonzero(material.real & (frozen | (material.pool.slices_N != 0)))
        keys = self._samples.keys([material.pool.uris[row] for row in rows.tolist()])
        self._embeddings.keep(encoder, keys, emb_ND, rows)

    def _known(
        self, pool: Snapshot, pseudo: Pseudo | None, frozen: bytes | None, path: Path
    ) -> NDArray[np.float32] | None:
        """Return the known embeddings [N, D], nan where one is not known, mapped from `path`."""
        if frozen is None:
            return None
        known = self._embeddings.find(hashlib.sha256(frozen).hexdigest(), self._samples.keys(pool.uris), path)
        if pseudo is None:
            return known
        if known is None:
            known = mapped(path, (len(pool), pseudo.emb_KD.shape[1]), np.dtype(np.float32))
            known[:] = np.nan
        known[-len(pseudo) :] = pseudo.emb_KD
        return known

    def _weights(self, pool: Snapshot, at: float) -> NDArray[np.float32]:
        """Return what each label counts [N]; the mean of the training slice's own is 1."""
        ours = real(pool)
        weights_N = np.full(len(pool), self._settings.pseudo.weight, np.float32)
        rest = pool if ours.all() else pool.rows(np.flatnonzero(ours))
        weights_N[ours] = weighed(rest, self._settings.weights, self._classes, at)
        return weights_N
