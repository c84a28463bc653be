"""Numbers that come out the same on every machine: compared only after the last bits are off."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def steady(values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Round what was added up in float64 to float32, whose bits do not show the order of the additions.

    Matrix products and sums add in an order that hangs on the processor, the threads and the blocks. Their
    results in float64 differ in the last bits, about 1e-16; rounded to 24 bits they agree, but for one in
    hundreds of millions. What is compared between rows goes through here first.

    >>> a, b = np.array([0.1 + 0.2]), np.array([0.3])
    >>> bool(a[0] == b[0]), bool(steady(a)[0] == steady(b)[0])
    (False, True)
    """
    return values.astype(np.float32)
