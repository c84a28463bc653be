"""Sums of p log p over joint probabilities of two labels, held for no more than a piece at a time."""

import numpy as np

from siftstream.strategies.blocks import blocks
from siftstream.strategies.committee.base import Float64

PIECE = 8  # of a block: pieces stay in the cache, and start no threads in the matrix product


def weighted_xlogx(left_RM: Float64, right_MV: Float64, weights_V: Float64) -> Float64:
    """Return sum over v of weight[v] x log x with x = left @ right, [R], in nats; 0 log 0 is 0.

    Two buffers of a piece serve all pieces: fresh ones would cost more than the logarithms. The sums hang on
    the size of a piece in their last bits, so what is compared goes through `steady`.

    >>> half = np.full((1, 2), 0.5)
    >>> weighted_xlogx(half, np.array([[1.0, 0.0], [1.0, 1.0]]), np.ones(2)).round(6).tolist()
    [-0.346574]
    """
    summed_R = np.zeros(len(left_RM))
    tiny = np.finfo(np.float64).tiny
    for some in blocks(len(weights_V), 8192):
        columns = right_MV[:, some]
        parts = list(blocks(len(left_RM), PIECE * columns.size))
        if not parts:
            break
        values = np.empty((parts[0].stop, some.stop - some.start))
        logs = np.empty_like(values)
        for part in parts:
            count = part.stop - part.start
            value, log = values[:count], logs[:count]
            np.matmul(left_RM[part], columns, out=value)
            np.maximum(value, tiny, out=log)
            np.log(log, out=log)
            log *= value
            summed_R[part] += np.einsum("rv,v->r", log, weights_V[some])
    return summed_R
