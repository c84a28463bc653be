"""Live accuracy and lift from samples chosen at random with a known chance, with confidence intervals.

What is estimated: the audit draws uniformly from a partition's window at each round, with chance p. The sum
of 1/p over the drawn samples stands for all candidates of all these windows, so a weighted share speaks of
*the stream as it stood in the windows at the rounds*: a sample that waited in the window through three rounds
counts three times, one that no round saw does not count. It speaks of nothing that the stream did not hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import copysign, inf, sqrt
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

LEVEL: Final = 0.9
_HALVINGS: Final = 50  # of a factor of two: to the last digit


@dataclass(frozen=True)
class Share:
    """A share of samples, with its interval."""

    value: float | None  # none: no sample
    low: float
    high: float
    count: int
    effective: float  # samples of equal weight that would tell as much

    @property
    def hits(self) -> float:
        """The effective number of samples that count as hits."""
        return (self.value or 0.0) * self.effective


@dataclass(frozen=True)
class Lift:
    """A ratio of two shares, with its interval."""

    value: float | None  # none: the lower share is zero, or there are no samples
    low: float
    high: float  # infinite where the data set no limit


def weighted_share(hits: Sequence[bool], chances: Sequence[float], level: float = LEVEL) -> Share:
    """Return the share of hits in the population that samples were drawn from with these chances.

    The ratio sum(w h) / sum(w), w = 1/chance (Hajek 1971); Wilson's interval (1927) with Kish's effective
    sample size sum(w)^2 / sum(w^2) (1965) for the sample size, as Franco, Little, Louis and Slud (2019,
    J. Survey Statistics and Methodology 7, 334-364) recommend of the seven they tried.

    Args:
        hits: [N] what is counted.
        chances: [N] known chances of having been drawn, each over 0 and at most 1.
        level: Confidence, between 0 and 1.

    Raises:
        ValueError: another number of chances than of hits, or a chance that cannot be.

    >>> found = weighted_share([True, True, False, True], [0.5, 0.5, 0.1, 0.1])
    >>> round(found.value, 4), round(found.effective, 4)  # (2 + 2 + 10) / 24 and 24^2 / 208
    (0.5833, 2.7692)
    """
    if len(hits) != len(chances):
        raise ValueError(f"{len(hits)} hits and {len(chances)} chances")
    hits_N, chances_N = np.asarray(hits, np.float64), np.asarray(chances, np.float64)
    if len(chances_N) and not ((chances_N > 0) & (chances_N <= 1)).all():
        raise ValueError("a chance of having been drawn that is not over 0 and at most 1")
    if not len(hits_N):
        return Share(None, 0.0, 1.0, 0, 0.0)
    weights_N = 1.0 / chances_N
    value = float(weights_N @ hits_N / weights_N.sum())
    effective = float(weights_N.sum() ** 2 / (weights_N @ weights_N))
    return Share(value, *wilson(value, effective, level), len(hits_N), effective)


def share(hits: ArrayLike, level: float = LEVEL) -> Share:
    """Return a plain share of hits with Wilson's interval.

    >>> found = share([True] * 8 + [False] * 2)
    >>> found.value, round(found.low, 3), round(found.high, 3)
    (0.8, 0.541, 0.931)
    """
    each = np.asarray(hits, bool).tolist()
    return weighted_share(each, [1.0] * len(each), level)


def wilson(value: float, size: float, level: float = LEVEL) -> tuple[float, float]:
    """Return the interval of a share by inverting the score test (Wilson 1927).

    >>> low, high = wilson(0.0, 10, 0.95)
    >>> low, round(high, 4)
    (0.0, 0.2775)
    """
    z2 = _z(level) ** 2
    middle = (value + z2 / (2 * size)) / (1 + z2 / size)
    half = sqrt(z2 * (value * (1 - value) / size + z2 / (4 * size**2))) / (1 + z2 / size)
    low = 0.0 if value == 0.0 else max(0.0, middle - half)
    return low, 1.0 if value == 1.0 else min(1.0, middle + half)


def lift(upper: Share, lower: Share, level: float = LEVEL) -> Lift:
    """Return upper / lower, with Koopman's score interval (1984, Biometrics 40, 513-517).

    Chosen over the log interval of Katz et al. (1978, Biometrics 34, 469-474), which is undefined where a
    count is zero: the score test has an answer there, 0 or infinity at the open end, and keeps its level with
    the few errors that a good model makes. A weighted share takes part with its effective size.

    >>> found = lift(share([True] * 36 + [False] * 4), share([True] * 16 + [False] * 64), 0.95)
    >>> found.value, round(found.low, 2), round(found.high, 2)  # Koopman's example
    (4.5, 2.94, 7.15)
    """
    if upper.value is None or lower.value is None:
        return Lift(None, 0.0, inf)
    if not upper.hits and not lower.hits:
        return Lift(None, 0.0, inf)
    limit = _z(level)
    inside = _inside(upper, lower, limit)
    low = 0.0 if not upper.hits else _edge(upper, lower, limit, inside, 0.5)
    high = inf if not lower.hits else _edge(upper, lower, limit, inside, 2.0)
    return Lift(upper.value / lower.value if lower.hits else None, low, high)


def score(ratio: float, upper: Share, lower: Share) -> float:
    """Return the score statistic of `upper = ratio * lower`: about standard normal where that holds.

    The shares under that restriction are the root in Miettinen and Nurminen (1985, Statistics in Medicine 4,
    213-226); its square is Koopman's chi-square (Gart and Nam 1988, Biometrics 44, 323-338).
    """
    n1, n2, x1, x2 = upper.effective, lower.effective, upper.hits, lower.hits
    a, b, c = (n1 + n2) * ratio, ratio * (n1 + x2) + x1 + n2, x1 + x2
    p2 = 2 * c / (b + sqrt(max(0.0, b * b - 4 * a * c)))  # the smaller root, without cancellation
    p1 = min(1.0, ratio * p2)
    variance = p1 * (1 - p1) / n1 + ratio**2 * p2 * max(0.0, 1 - p2) / n2
    apart = x1 / n1 - ratio * x2 / n2
    if variance <= 0.0:
        return 0.0 if apart == 0.0 else copysign(inf, apart)
    return apart / sqrt(variance)


def _inside(upper: Share, lower: Share, limit: float) -> float:
    """Return a ratio in the interval: the estimate, or one far enough towards its open end."""
    if upper.hits and lower.hits:
        return upper.hits / upper.effective / (lower.hits / lower.effective)
    ratio, step = 1.0, 2.0 if upper.hits else 0.5
    while abs(score(ratio, upper, lower)) > limit:
        ratio *= step
    return ratio


def _edge(upper: Share, lower: Share, limit: float, inside: float, step: float) -> float:
    """Return where the score passes the limit, going by `step` from a ratio inside the interval."""
    outside = inside * step
    while abs(score(outside, upper, lower)) <= limit:
        inside, outside = outside, outside * step
    for _ in range(_HALVINGS):
        middle = sqrt(inside * outside)
        if abs(score(middle, upper, lower)) <= limit:
            inside = middle
        else:
            outside = middle
    return sqrt(inside * outside)


def _z(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)
