"""What rounds add up to: minimum, median and maximum, and a straight line through points."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Three:
    """Minimum, median and maximum.

    >>> print(Three.of([0.9, 0.7, 0.8]))
    0.80 (0.70 to 0.90)
    """

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Three":
        """Sum up at least one value."""
        return cls(min(values), statistics.median(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Straight:
    """The least-squares line y = base + slope x, and the share of the variance that it explains.

    >>> Straight.through([1, 2, 3], [3, 5, 7])
    Straight(slope=2.0, base=1.0, explained=1.0)
    """

    slope: float
    base: float
    explained: float

    @classmethod
    def through(cls, xs: Sequence[float], ys: Sequence[float]) -> "Straight":
        """Fit at least two points with different x.

        Raises:
            statistics.StatisticsError: there are fewer.
        """
        slope, base = statistics.linear_regression(xs, ys)
        mean = statistics.fmean(ys)
        around = sum((y - mean) ** 2 for y in ys)
        off = sum((y - base - slope * x) ** 2 for x, y in zip(xs, ys, strict=True))
        return cls(slope, base, 1.0 - off / around if around else 1.0)
