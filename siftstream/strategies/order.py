"""The order in which strategies see samples: given by the seed and the samples' keys, not by their places."""

import numpy as np
from numpy.typing import NDArray


def seeded_order(keys_B: NDArray[np.uint64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the rows in an order that one draw from `rng` and the keys give.

    >>> keys = np.array([7, 8, 9], np.uint64)
    >>> one = keys[seeded_order(keys, np.random.default_rng(0))]
    >>> other = keys[::-1][seeded_order(keys[::-1], np.random.default_rng(0))]
    >>> bool((one == other).all())
    True
    """
    seed = rng.integers(0, 2**64, dtype=np.uint64)
    return np.argsort(_mixed(keys_B, seed), kind="stable")


def _mixed(keys: NDArray[np.uint64], seed: np.uint64) -> NDArray[np.uint64]:
    """Return what SplitMix64 makes of each key (Steele, Lea and Flood, OOPSLA 2014, figure 16)."""
    mixed = (keys ^ seed) + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))
