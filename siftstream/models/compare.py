"""Two forms of one model side by side: how often they agree, how far apart they are, which is faster."""

import statistics
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from siftstream.models.loaded import LoadedModel
from siftstream.schemas.arrays import Arrays, count, rows

_BATCH = 128
_TIMED_S = 0.2  # a round of each takes at least as long, or a small model's ratio is noise


@dataclass(frozen=True)
class Compared:
    """What changed from one model to the other, on the same samples."""

    samples: int
    agreement: float
    """Share of samples with the same likeliest class."""
    change: float
    """Mean absolute change of a probability."""
    labelled: int
    accuracy: tuple[float, float] | None
    """Before and after, on the labelled samples; none without any."""
    speed: tuple[float, float, float]
    """How many times as fast the second is: least, median and most of interleaved rounds."""


def compare(
    before: LoadedModel,
    after: LoadedModel,
    samples: Arrays,
    targets_B: NDArray[np.integer],
    *,
    rounds: int = 5,
) -> Compared:
    """Run both on the samples; a target below 0 is not known. Slow: call it in a thread.

    Raises:
        InferenceError: the samples are not what the models read.
    """
    ours_BC, theirs_BC = _probabilities(before, samples), _probabilities(after, samples)
    labelled = targets_B >= 0
    accuracy = None
    if labelled.any():
        right = [(p.argmax(axis=1) == targets_B)[labelled].mean() for p in (ours_BC, theirs_BC)]
        accuracy = float(right[0]), float(right[1])
    return Compared(
        samples=count(samples),
        agreement=float((ours_BC.argmax(axis=1) == theirs_BC.argmax(axis=1)).mean()),
        change=float(np.abs(ours_BC - theirs_BC).mean()),
        labelled=int(labelled.sum()),
        accuracy=accuracy,
        speed=_speed(before, after, samples, rounds),
    )


def _probabilities(model: LoadedModel, samples: Arrays) -> NDArray[np.float32]:
    parts = [
        model.predict(rows(samples, slice(at, at + _BATCH)))[0] for at in range(0, count(samples), _BATCH)
    ]
    return np.concatenate(parts).mean(axis=1)


def _speed(
    before: LoadedModel, after: LoadedModel, samples: Arrays, rounds: int
) -> tuple[float, float, float]:
    """Time the two in turns: what else the machine does then slows both."""
    batch = {name: np.resize(array, (_BATCH, *array.shape[1:])) for name, array in samples.items()}
    began = time.perf_counter()
    before.predict(batch)
    after.predict(batch)  # the first run of a session allocates
    times = max(1, round(_TIMED_S / max(1e-6, time.perf_counter() - began)))
    ratios = [_seconds(before, batch, times) / _seconds(after, batch, times) for _ in range(rounds)]
    return min(ratios), statistics.median(ratios), max(ratios)


def _seconds(model: LoadedModel, batch: Arrays, times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        model.predict(batch)
    return time.perf_counter() - began
