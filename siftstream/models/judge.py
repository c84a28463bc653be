"""The gate: a candidate and the live model on the same held-out and audit samples, and the verdict."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from siftstream.models.calibration import expected_calibration_error, log_loss
from siftstream.models.loaded import LoadedModel
from siftstream.models.settings import GateSettings
from siftstream.schemas import VersionStatus
from siftstream.schemas.arrays import Arrays, count, rows

_BATCH = 256


@dataclass(frozen=True)
class Verdict:
    """What becomes of a candidate, why, and the figures behind it (the live model's begin with `live_`)."""

    status: VersionStatus
    reason: str
    metrics: dict[str, float]


def measure(probs_BMC: NDArray[np.floating], targets_B: NDArray[np.integer]) -> dict[str, float]:
    """Return accuracy, macro_f1, log_loss and ece of the members' mean, and `judged`, the sample count.

    >>> measure(np.array([[[0.8, 0.2]], [[0.8, 0.2]]]), np.array([0, 1]))["accuracy"]
    0.5
    """
    probs_BC = probs_BMC.mean(axis=1)
    return {
        "judged": float(len(targets_B)),
        "accuracy": float((probs_BC.argmax(axis=1) == targets_B).mean()),
        "macro_f1": _macro_f1(probs_BC.argmax(axis=1), targets_B, probs_BC.shape[1]),
        "log_loss": log_loss(probs_BC, targets_B),
        "ece": expected_calibration_error(probs_BC, targets_B),
    }


def _macro_f1(guesses_B: NDArray[np.integer], targets_B: NDArray[np.integer], classes: int) -> float:
    """Return the mean F1 over the classes that occur, in truth or as a guess."""
    right = np.bincount(targets_B[guesses_B == targets_B], minlength=classes)
    total = np.bincount(guesses_B, minlength=classes) + np.bincount(targets_B, minlength=classes)
    seen = total > 0
    return float((2.0 * right[seen] / total[seen]).mean())


def judge(
    candidate: LoadedModel,
    live: LoadedModel | None,
    inputs: Arrays,
    targets_B: NDArray[np.integer],
    settings: GateSettings,
) -> Verdict:
    """Compare the two on samples that neither was trained on.

    Without a live model, or with fewer than `min_judged` samples, the candidate passes and the reason says
    so. A live model of other classes is no measure either. Slow: call it in a thread.

    Raises:
        InferenceError: the samples are not what the encoders read.
    """
    passed = VersionStatus.LIVE if settings.promote else VersionStatus.CANDIDATE
    if not len(targets_B):
        return Verdict(passed, "Not judged: no held-out or audit sample yet.", {"judged": 0.0})
    metrics = measure(_predict(candidate, inputs), targets_B)
    figure = f"{settings.metric} {metrics[settings.metric]:.3f} on {len(targets_B)} samples"
    if live is None or live.classes != candidate.classes:
        return Verdict(passed, f"First of its line: {figure}.", metrics)
    before = measure(_predict(live, inputs), targets_B)
    metrics |= {f"live_{name}": value for name, value in before.items() if name != "judged"}
    figure = f"{figure}, live {live.version} {before[settings.metric]:.3f}"
    if len(targets_B) < settings.min_judged:
        return Verdict(passed, f"Not judged: {settings.min_judged} samples are needed ({figure}).", metrics)
    loss = before[settings.metric] - metrics[settings.metric]
    loss = -loss if settings.metric == "log_loss" else loss
    if loss > settings.tolerance + 1e-9:
        reason = f"Worse than live by {loss:.3f}, {settings.tolerance:g} allowed: {figure}."
        return Verdict(VersionStatus.REJECTED, reason, metrics)
    return Verdict(passed, f"Passed: {figure}.", metrics)


def _predict(model: LoadedModel, inputs: Arrays) -> NDArray[np.float32]:
    starts = range(0, count(inputs), _BATCH)
    parts = [model.predict(rows(inputs, slice(at, at + _BATCH)))[0] for at in starts]
    return np.concatenate(parts)
