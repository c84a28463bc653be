"""Pseudo-labels: what the live version is sure of, of the newest samples of the stream, learned as it says.

After Lee 2013 (pseudo-label), with a threshold as in Sohn et al. 2020 (FixMatch, section 2). Shape letters:
B samples of a micro-batch, K chosen, M members, C classes, D embedding dimension.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.retrain.pool import Snapshot
from siftstream.models.training.job import SLICES
from siftstream.models.training.settings import PseudoSettings
from siftstream.schemas import ModelVersion, Scores, Slice, share_of

Latest = Callable[[], AsyncGenerator[Sequence[Scores], None]]
LOOKED_AT: Final = 20  # samples of the stream for each that may be chosen
UNREAL: Final = -1  # partition and offset of a label that nobody gave


@dataclass(frozen=True, eq=False)
class Pseudo:
    """K samples, the classes that the live version gives them, and the embeddings that came along."""

    ids: Sequence[str]
    uris: Sequence[str]
    classes_K: NDArray[np.int64]
    emb_KD: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.ids)


class PseudoLabels:
    """Chooses them out of the tail of `scores`."""

    def __init__(self, settings: PseudoSettings, line: str, holdout: float, latest: Latest) -> None:
        """Args: which and how many; the line of models; the share of samples, by hash of the id, that judges
        models and so never trains them; gives micro-batches of the stream, newest first.
        """
        self._settings, self._line, self._holdout, self._latest = settings, line, holdout, latest

    async def of(self, pool: Snapshot, live: ModelVersion) -> Pseudo | None:
        """Return samples that nobody labelled and the live version is sure of; none where there are none.

        A sample of the held-out share, or one that is in L, is never among them. One that is being audited
        may be: it leaves the next version's data with its label.

        Raises:
            UnavailableError: the cluster does not answer.
        """
        chosen, taken, seen = list[tuple[str, str, int, NDArray[np.floating]]](), set(pool.ids), 0
        async with aclosing(self._latest()) as parts:
            async for batches in parts:
                for batch in batches:
                    seen += len(batch)
                    chosen += self._sure(batch, live, taken)
                if len(chosen) >= self._settings.most or seen >= LOOKED_AT * self._settings.most:
                    break
        chosen = chosen[: self._settings.most]
        if not chosen:
            return None
        ids, uris, numbers, embeddings = zip(*chosen, strict=True)
        return Pseudo(ids, uris, np.array(numbers, np.int64), np.stack(embeddings).astype(np.float32))

    def _sure(
        self, batch: Scores, live: ModelVersion, taken: set[str]
    ) -> list[tuple[str, str, int, NDArray[np.floating]]]:
        """Return the samples of a micro-batch that will do, and note them as taken."""
        ours = batch.line in ("", self._line) and batch.model_version == live.version
        if not ours or batch.probs.shape[2] != len(live.classes):
            return []
        probs_BC = batch.probs.mean(axis=1)
        found: list[tuple[str, str, int, NDArray[np.floating]]] = []
        for row in np.flatnonzero(probs_BC.max(axis=1) >= (self._settings.confidence or 1.0)).tolist():
            sample = batch.sample_ids[row]
            if sample not in taken and share_of(sample, "holdout") >= self._holdout:
                taken.add(sample)
                found.append((sample, batch.uris[row], int(probs_BC[row].argmax()), batch.embeddings[row]))
        return found


def joined_by(pool: Snapshot, pseudo: Pseudo) -> Snapshot:
    """Return the labels of L and then the pseudo-labels, which stand nowhere in the log.

    Their weight is that of any label until it is set.
    """
    count = len(pseudo)
    nowhere = np.full(count, UNREAL, np.int64)
    return Snapshot(
        [*pool.ids, *pseudo.ids],
        [*pool.uris, *pseudo.uris],
        np.concatenate([pool.classes_N, pseudo.classes_K]),
        np.concatenate([pool.weights_N, np.ones(count, np.float32)]),
        np.concatenate([pool.slices_N, np.full(count, SLICES.index(Slice.TRAIN), np.uint8)]),
        np.concatenate([pool.chances_N, np.full(count, np.nan)]),
        np.concatenate([pool.resolved_N, np.full(count, np.nan)]),
        np.concatenate([pool.partitions_N, nowhere]),
        np.concatenate([pool.offsets_N, nowhere]),
        pool.upto,
    )


def real(pool: Snapshot) -> NDArray[np.bool_]:
    """Tell which labels [N] somebody gave."""
    return pool.offsets_N != UNREAL
