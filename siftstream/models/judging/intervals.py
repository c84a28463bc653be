"""Where a true value lies: closed forms, so that a hundred classes and 10^5 samples take no time.

Samples may be weighted (w). A share then has Kish's (1965) effective size, sum(w)^2 / sum(w^2); any other
figure is linearised: the sum over samples of what each moves it by, squared, is its variance. The same sum
over the *difference* of two models' moves is the variance of the difference: paired, since both answered the
same samples.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from siftstream.schemas.judgement import Interval

LEVEL: Final = 0.9  # of the intervals that are published
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """An estimate with its standard error; `low` and `high` differ where its bias is only bounded."""

    low: float
    high: float
    error: float
    size: float = math.inf  # samples that the error was estimated from; infinite: no correction for that
    least: float = -math.inf
    most: float = math.inf

    def at(self, level: float = LEVEL) -> Interval:
        """Return the interval of this confidence.

        >>> [round(edge, 2) for edge in Spread(0.5, 0.5, 0.1).at(0.95)]
        [0.3, 0.7]
        """
        half = quantile(level, self.size) * self.error
        return max(self.least, self.low - half), min(self.most, self.high + half)


def quantile(level: float, size: float = math.inf) -> float:
    """Return Student's two-sided quantile, by the first terms of its series (Abramowitz and Stegun 26.7.5).

    >>> round(quantile(0.95), 3), round(quantile(0.95, 31), 3)  # 1.960 and 2.042
    (1.96, 2.042)
    """
    z = NormalDist().inv_cdf((1.0 + level) / 2.0)
    freedom = max(size - 1.0, 1.0)
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def kish(weights: Doubles) -> float:
    """Return how many samples of equal weight would tell as much."""
    return float(weights.sum() ** 2 / (weights @ weights))


def shares_apart(won: float, lost: float, size: float) -> Spread:
    """Return the spread of a difference of two shares of the same samples.

    Bonett and Price (2012): as if there were one sample more that only the first got right, and one
    that only the second did. So equal answers to few samples still leave room for a difference.

    Args:
        won: Share of samples that only the first got right; `lost`: that only the second did.
        size: Samples, or their effective number.

    >>> [round(edge, 3) for edge in shares_apart(0.10, 0.04, 100).at()]
    [-0.005, 0.123]
    """
    won, lost = (won * size + 1.0) / (size + 2.0), (lost * size + 1.0) / (size + 2.0)
    error = math.sqrt((won + lost - (won - lost) ** 2) / (size + 2.0))
    return Spread(won - lost, won - lost, error, least=-1.0, most=1.0)


def moved(moves_B: Doubles) -> float:
    """Return the standard error of a figure from what each sample moves it by (their sum is about 0).

    >>> round(moved(np.array([-0.5, 0.5]) / 2), 3)  # the mean of 0 and 1: its deviation .707 over root 2
    0.5
    """
    count = len(moves_B)
    return math.sqrt(float(moves_B @ moves_B) * count / max(count - 1, 1))


def skewed(values_B: Doubles, weights_B: Doubles) -> float:
    """Return by how much the middle of a mean's interval lies higher, where few samples are far above it.

    Johnson's (1978) correction of the t interval: the third moment over six times the variance and the size.
    """
    apart_B = values_B - weights_B @ values_B
    variance = float(weights_B @ apart_B**2)
    if variance <= 1e-12:
        return 0.0
    return float(weights_B @ apart_B**3) / (6.0 * variance * kish(weights_B))


def freed_of_chance(gaps_K: Doubles, variances_K: Doubles) -> Doubles:
    """Return about what |gap| would be without chance, which raises it; below 0 where all was chance.

    The mean of a folded normal less its middle, taken at the middle that squares suggest, gap^2 - variance
    (the debiasing of Kumar et al. 2019).

    >>> freed_of_chance(np.array([0.05, 0.3]), np.array([0.01, 0.01])).round(3).tolist()
    [-0.03, 0.3]
    """
    sigma_K = np.sqrt(np.maximum(variances_K, 1e-300))
    middle_K = np.sqrt(np.maximum(gaps_K**2 - variances_K, 0.0)) / sigma_K
    folded = [
        math.sqrt(2.0 / math.pi) * math.exp(-(m**2) / 2.0) + m * math.erf(m / math.sqrt(2.0)) - m
        for m in middle_K.tolist()
    ]
    return np.abs(gaps_K) - sigma_K * np.array(folded)
