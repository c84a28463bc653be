"""What a block of samples comes to: one number of its confidences, one of its embeddings.

Numbers are whole: rounded when they are made, a rebuilt watch goes on with the same bits.
Shape letters: B rows of a block, D embedding dimension, K directions.
"""

from dataclasses import dataclass
from functools import cache
from hashlib import shake_256
from math import exp, log, sqrt
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
CONFIDENCE_UNIT: Final = 1e-5
EMBEDDING_UNIT: Final = 1e-3  # of the logarithm
_LEAST, _MOST = 1e-4, 1e8  # of the embedding statistic before its logarithm is taken


@cache
def directions(dim: int, count: int) -> Floats:
    """Return `count` unit vectors [K, D] that belong to a dimension: random signs over sqrt(D).

    Signs do for projections what Gaussians do (Achlioptas 2003); these come from a hash, so that every
    machine and version of numpy has the same.

    >>> directions(4, 2).tolist() == directions(4, 2).tolist()
    True
    >>> np.linalg.norm(directions(300, 8), axis=1).round(6).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    bits = np.frombuffer(shake_256(f"drift {dim}".encode()).digest((count * dim + 7) // 8), np.uint8)
    signs = np.unpackbits(bits)[: count * dim].reshape(count, dim).astype(np.float64) * 2.0 - 1.0
    return signs / sqrt(max(dim, 1))


def confidence_of(confidences_B: ArrayLike) -> int | None:
    """Return the mean confidence of a block in 1/100,000; none where no value is finite.

    >>> confidence_of([0.5, 0.75, 1.0])
    75000
    """
    values = np.asarray(confidences_B, np.float64)
    values = values[np.isfinite(values)]
    return round(float(values.mean()) / CONFIDENCE_UNIT) if len(values) else None


@dataclass(frozen=True)
class Place:
    """Where the embeddings of the reference lie along each direction: mean [K], deviation [K], rows."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    rows: int

    @classmethod
    def of(cls, emb_BD: NDArray[np.floating], count: int) -> Self:
        """Take in finite embeddings [N, D] along `count` directions; six digits are kept.

        >>> Place.of(np.array([[1.0], [3.0]]), 1).deviation
        (1.0,)
        """
        along_BK = _finite(emb_BD) @ directions(emb_BD.shape[1], count).T
        mean_K, deviation_K = along_BK.mean(axis=0), along_BK.std(axis=0)
        deviation_K = np.maximum(deviation_K, 1e-6 * np.abs(mean_K) + 1e-12)  # all alike
        return cls(_six_digits(mean_K), _six_digits(deviation_K), len(along_BK))

    def shift_of(self, emb_BD: NDArray[np.floating], *, within: bool) -> int | None:
        """Return 1,000 times the logarithm of a block's mean squared standardised shift; none if empty.

        The shift is 1 on average while nothing moves: for a block of B rows the squared distance of its mean
        from the reference's is held against deviation^2 (1/B + 1/N), or (1/B - 1/N) for a block `within` the
        N rows of the reference, and averaged over directions.

        >>> two = Place(mean=(0.0,), deviation=(1.0,), rows=4)
        >>> two.shift_of(np.array([[1.0], [1.0]]), within=False)  # log(1 / (1/2 + 1/4)) = 0.288
        288
        """
        emb = _finite(emb_BD)
        if not len(emb):
            return None
        mean_K = directions(emb.shape[1], len(self.mean)) @ (emb.sum(axis=0) / len(emb))
        spread = 1.0 / len(emb) + (-1.0 if within else 1.0) / self.rows
        shift_K = (mean_K - np.array(self.mean)) / np.array(self.deviation)
        value = float((shift_K * shift_K).mean()) / max(spread, 1e-12)
        return round(log(min(max(value, _LEAST), _MOST)) / EMBEDDING_UNIT)


def shown(statistic: str, number: float) -> float:
    """Return a (mean) number in the statistic's own unit: a probability, or a shift (1: nothing moved).

    >>> shown("confidence", 75000), shown("embedding", 0)
    (0.75, 1.0)
    """
    value = number * CONFIDENCE_UNIT if statistic == "confidence" else exp(number * EMBEDDING_UNIT)
    return float(f"{value:.6g}")


def _finite(emb_BD: NDArray[np.floating]) -> Floats:
    emb = np.asarray(emb_BD, np.float64)
    kept = np.isfinite(emb).all(axis=1)
    return emb if kept.all() else emb[kept]


def _six_digits(values: Floats) -> tuple[float, ...]:
    return tuple(float(f"{value:.6g}") for value in values)
