"""The candidate's calibration, on samples it was not trained on. Child process only.

All held-out and audited labels count alike. The held-out ones are the hard ones that a strategy chose, and
the audited ones are few; but a temperature tells more of the model than of the sample, and the audit's
weights, 1 / chance, would leave a handful of labels to set it.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from siftstream.models.calibration import Calibration, Method, crossed, fit_calibration
from siftstream.models.head import Head
from siftstream.models.judging.crossing import FOLDS
from siftstream.models.training.fit import Tell
from siftstream.models.training.heads import logits_by_folds
from siftstream.models.training.job import Job
from siftstream.schemas import Progress, Slice

ISOTONIC_LEAST: Final = 1_000
"""Samples from which isotonic steps are worth their freedom; with fewer it is Platt's two numbers."""


class Calibrated(NamedTuple):
    """A head with its calibration, what that came from (holdout, folds or none), and which it is."""

    head: Head
    origin: str
    by: Method


def calibrate(job: Job, head: Head, emb_ND: NDArray[np.float32], tell: Tell) -> Calibrated:
    """Return the head with its calibration.

    From the held-out samples, where there are enough: the head then carries the calibrations that judge it
    as well, one for each fold. Else, in head mode, from what five other heads say of the fifth of the
    training labels that each has not seen.
    """
    tell(Progress(phase="calibrate"))
    settings = job.settings.calibration
    train, held = job.where(Slice.TRAIN), job.where(Slice.HOLDOUT, Slice.AUDIT)
    if settings.method == "none" or max(len(held), len(train)) < settings.min_samples:
        return Calibrated(head, "none", "none")
    if len(held) >= settings.min_samples:
        method = _affordable(settings.method, len(held))
        folds = None if job.folds is None else job.folds[held]
        on = _on_held(head, method, head.logits(emb_ND[held]), job.targets[held], folds)
        return Calibrated(on, "holdout", method)
    if job.settings.mode == "full":
        return Calibrated(head, "none", "none")
    method = _affordable(settings.method, len(train))
    logits = _unseen_logits(job, emb_ND, train, tell)
    return Calibrated(fit_calibration(method, logits, job.targets[train]).on(head), "folds", method)


def _affordable(method: Method, count: int) -> Method:
    return "platt" if method == "isotonic" and count < ISOTONIC_LEAST else method


def _on_held(
    head: Head,
    method: Method,
    logits: NDArray[np.float32],
    targets: NDArray[np.int64],
    folds: NDArray[np.uint8] | None,
) -> Head:
    final = fit_calibration(method, logits, targets)
    if folds is None:
        return final.on(head)
    others: list[Calibration] = []
    for fold in range(FOLDS):
        inside = folds != fold
        others.append(fit_calibration(method, logits[inside], targets[inside]) if inside.any() else final)
    return crossed(head, final, others)


def _unseen_logits(
    job: Job, emb_ND: NDArray[np.float32], train: NDArray[np.intp], tell: Tell
) -> NDArray[np.float32]:
    """Return logits [N, M, C] of the training labels, each by heads that have not seen it."""
    l2 = job.settings.head.l2

    def told(progress: Progress) -> None:
        tell(progress.model_copy(update={"phase": "calibrate"}))

    return logits_by_folds(
        emb_ND, job.targets[train], job.weights[train], len(job.classes), job.settings,
        1.0 if l2 == "auto" else l2, told, rows_N=train,
    )  # fmt: skip
