"""How the time of each strategy grows with the window, beside the promise: never faster than B x k x D."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from benchmarks.zoo.made_up import Shape
from benchmarks.zoo.runs import Limits, Runs, Windows, once
from siftstream.bench.statistics import Straight

SIZES = (5_000, 10_000, 20_000, 40_000, 80_000)
SHARE = 4  # the growing k is a fourth of the window
SLACK = 0.25  # an exponent above the promise by so much is noise, or a cache that is no longer large enough
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Grown:
    """The rounds of one strategy at each size, k the same at all or growing with the window."""

    name: str
    growing: bool
    at: tuple[Runs, ...]

    @property
    def exponent(self) -> float | None:
        """e of time = B^e, by the least times; none where fewer than three sizes ended."""
        points = [
            (math.log(runs.shape.size), math.log(min(runs.seconds))) for runs in self.at if runs.seconds
        ]
        if len(points) < 3:
            return None
        return Straight.through([x for x, _ in points], [y for _, y in points]).slope

    @property
    def promised(self) -> float:
        """The exponent of B x k x D: 1 where k stays, 2 where it grows."""
        return 2.0 if self.growing else 1.0

    @property
    def verdict(self) -> str:
        """Whether the promise holds."""
        if self.exponent is None:
            return "too few sizes ended"
        return "within" if self.exponent <= self.promised + SLACK else "FASTER"

    def as_json(self) -> dict[str, object]:
        """Return the figures."""
        return {
            "name": self.name, "k": "B/4" if self.growing else "fixed", "exponent": self.exponent,
            "promised": self.promised, "verdict": self.verdict, "at": [runs.as_json() for runs in self.at],
        }  # fmt: skip


def grown(
    names: Sequence[str], whole: Shape, sizes: Sequence[int], kept: Windows, limits: Limits, rounds: int,
    tell: Tell,
) -> list[Grown]:  # fmt: skip
    """Measure each strategy at each size, twice: with a k that stays and with one that grows.

    A strategy that goes over its limits at a size is not tried at a larger one, and says so there.
    """
    least = max(1, min(sizes) // 8)
    found: list[Grown] = []
    for growing in (False, True):
        runs = {
            name: tuple(
                Runs(name, replace(whole, size=size, k=size // SHARE if growing else least)) for size in sizes
            )
            for name in names
        }
        for at in range(len(sizes)):
            for _ in range(rounds):
                for name in names:
                    tell(f"growth: {name}, {sizes[at]:,} samples")
                    _once_more(runs[name], at, kept, limits)
        found += [Grown(name, growing, runs[name]) for name in names]
    return found


def _once_more(runs: Sequence[Runs], at: int, kept: Windows, limits: Limits) -> None:
    if at and runs[at - 1].ended:
        runs[at].ended = f"not tried: {runs[at - 1].ended.removeprefix('not tried: ')} before"
    once(runs[at], kept, limits)
