"""Cross-fitting: a sample is judged by a calibration that has not seen it, in every version alike.

A calibration is fitted on held-out samples, and these are the ones that judge. What it gained by having seen
them is no merit, and grows as they are fewer. So each version carries, beside its calibration, one for each
of five folds, fitted without it; folds go by the sample's id, so they are the same ones in every version, and
the live version is judged in the same way by those that it was published with.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from siftstream.models.head import Floats, Head
from siftstream.models.loaded import LoadedModel
from siftstream.schemas.arrays import Arrays, rows
from siftstream.schemas.ids import share_of

FOLDS: Final = 5
_BATCH = 256


def folds_of(ids: Sequence[str], rows: NDArray[np.intp] | None = None) -> NDArray[np.uint8]:
    """Return the fold of each sample, by hash of its id: the same for ever.

    Args:
        ids: Names of samples.
        rows: Those that are held out, which alone need one: others get 0; none: all need one.

    >>> folds_of(["a", "b", "c", "d"]).tolist(), folds_of(["a", "b", "c", "d"], np.array([3])).tolist()
    ([0, 2, 2, 1], [0, 0, 0, 1])
    """
    folds = np.zeros(len(ids), np.uint8)
    for row in range(len(ids)) if rows is None else rows.tolist():
        folds[row] = int(share_of(ids[row], "calibration") * FOLDS)
    return folds


def said_of_embeddings(head: Head, emb_BD: NDArray[np.floating], folds_B: NDArray[np.uint8]) -> Floats:
    """Return what a head says [B, M, C] of embeddings, each fold by the calibration without it."""
    return _by_fold(head, folds_B, lambda other, part: other.probs(emb_BD[part]))


def said_of_inputs(model: LoadedModel, inputs: Arrays, folds_B: NDArray[np.uint8]) -> Floats:
    """Return what a model says [B, M, C] of inputs, in the same way; for one with several passes."""

    def answered(head: Head, part: NDArray[np.intp]) -> Floats:
        judge = replace(model, head=head)
        batches = [part[at : at + _BATCH] for at in range(0, len(part), _BATCH)]
        return np.concatenate([judge.predict(rows(inputs, batch))[0] for batch in batches])

    return _by_fold(model.head, folds_B, answered)


def _by_fold(
    head: Head, folds_B: NDArray[np.uint8], answered: Callable[[Head, NDArray[np.intp]], Floats]
) -> Floats:
    if not len(folds_B):
        return np.zeros((0, head.members, head.classes), np.float32)
    if head.crossed_F2 is None:
        return answered(head, np.arange(len(folds_B)))
    parts = [np.flatnonzero(folds_B == fold) for fold in range(len(head.crossed_F2))]
    said = [answered(head.without(fold), part) for fold, part in enumerate(parts) if len(part)]
    order = np.concatenate(parts)
    whole_BMC = np.empty((len(order), *said[0].shape[1:]), np.float32)
    whole_BMC[order] = np.concatenate(said)
    return whole_BMC
