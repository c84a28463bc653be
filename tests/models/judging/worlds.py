"""Two models with noise of their own that answer to the same samples; what each believes is honest or not."""

import numpy as np
from numpy.typing import NDArray

from siftstream.models.head import softmax
from siftstream.models.judging.judge import Held

Probs = NDArray[np.float32]


def world(
    count: int, classes: int = 4, *, apart: float = 2.5, sharper: float = 1.0, seed: int = 0
) -> tuple[NDArray[np.int64], Probs, Probs]:
    """Return targets [B], and what two models of one member say [B, 1, C]; the second one's logits are
    `sharper` times what is honest.
    """
    rng = np.random.default_rng(seed)
    targets = rng.integers(classes, size=count)
    seen = rng.normal(size=(count, classes))
    seen[np.arange(count), targets] += apart
    honest = apart / 1.36  # signal over the variance: 1 of the sample and 0.6 squared of the model
    said = [
        softmax((scale * honest * (seen + 0.6 * rng.normal(size=seen.shape))).astype(np.float32))[:, None]
        for scale in (1.0, sharper)
    ]
    return targets, said[0], said[1]


def held(targets: NDArray[np.int64], audited: NDArray[np.bool_] | None = None, chance: float = 0.1) -> Held:
    """Return them as held-out samples, some of them audited."""
    audited = np.zeros(len(targets), bool) if audited is None else audited
    return Held(targets, np.where(audited, 2, 1).astype(np.uint8), np.where(audited, chance, np.nan))
