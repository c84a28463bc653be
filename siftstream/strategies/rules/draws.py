"""Random numbers that belong to the n-th sample of a stream, however the stream is cut into batches."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

PER_SAMPLE: Final = 4  # a step of the Philox counter gives so many numbers


def draws_of(seed: int, seen: int, count: int) -> NDArray[np.float64]:
    """Return uniform numbers in [0, 1) of the samples `seen` to `seen + count`, [B, 4].

    Source: Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011.

    >>> bool((draws_of(3, 0, 5)[2:] == draws_of(3, 2, 3)).all())
    True
    """
    return np.random.Generator(np.random.Philox(key=seed).advance(seen)).random((count, PER_SAMPLE))


def normal_of(first: float, second: float) -> float:
    """Return a standard normal number made of two uniform ones, rounded as `steady` does.

    Source: Box and Muller, A note on the generation of random normal deviates, 1958.

    >>> normal_of(0.0, 0.0), round(normal_of(0.5, 0.0), 4)
    (0.0, 1.1774)
    """
    return float(np.float32(np.sqrt(-2.0 * np.log1p(-first)) * np.cos(2.0 * np.pi * second))) + 0.0
