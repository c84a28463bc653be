"""What a seed makes of labelled data: samples that only test, and the others in the order of their stream."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to test on, which choose nothing, and the rows to choose from; every strategy gets the same."""

    test: Rows
    stream: Rows

    @classmethod
    def of(cls, count: int, seed: int, share: float) -> Self:
        """Draw a share of `count` samples to test on.

        >>> split = Split.of(10, seed=0, share=0.2)
        >>> len(split.test), sorted([*split.test.tolist(), *split.stream.tolist()]) == list(range(10))
        (2, True)
        """
        order = np.random.default_rng(seed).permutation(count)
        tested = round(share * count)
        return cls(order[:tested], order[tested:])

    @classmethod
    def after(cls, pool: int, count: int, seed: int) -> Self:
        """Test on all rows from `pool` to `count`; the seed decides the order of those before.

        >>> Split.after(3, 5, seed=0).test.tolist()
        [3, 4]
        """
        return cls(np.arange(pool, count), np.random.default_rng(seed).permutation(pool))
