"""Ours beside theirs: the same strategy on the same window, at the largest size that theirs can do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.zoo.made_up import Shape
from benchmarks.zoo.peers import PEERS
from benchmarks.zoo.runs import Limits, Runs, Windows, once
from siftstream.bench.statistics import Three

SMALLER = (1, 4, 16, 64)
Tell = Callable[[str], None]


@dataclass
class Duel:
    """One strategy, ours and theirs, at one size; `tried` are their attempts at larger ones."""

    ours: Runs
    theirs: Runs
    tried: list[Runs] = field(default_factory=list[Runs])

    @property
    def ratio(self) -> Three | None:
        """Their time over ours, round by round."""
        pairs = list(zip(self.theirs.seconds, self.ours.seconds, strict=False))
        return Three.of([theirs / ours for theirs, ours in pairs]) if pairs else None

    @property
    def memory(self) -> float | None:
        """Their memory over ours, medians; under a MiB counts as one, which is as fine as pages tell."""
        theirs, ours = self.theirs.memory, self.ours.memory
        if theirs is None or ours is None:
            return None
        return max(theirs.median, 2**20) / max(ours.median, 2**20)

    def as_json(self) -> dict[str, Any]:
        """Return the figures."""
        ratio = self.ratio
        return {
            "name": self.ours.name, "theirs": PEERS[self.ours.name][0],
            "ours": self.ours.as_json(), "of_theirs": self.theirs.as_json(),
            "tried": [runs.as_json() for runs in self.tried],
            "ratio": ratio and [ratio.low, ratio.median, ratio.high], "memory_ratio": self.memory,
        }  # fmt: skip


def duels(
    names: Sequence[str], whole: Shape, kept: Windows, limits: Limits, rounds: int, tell: Tell
) -> list[Duel]:
    """Find for each strategy that they have the largest size they can do, and run both there in turn."""
    found = [_matched(name, whole, kept, limits, tell) for name in names if name in PEERS]
    for number in range(rounds):
        for duel in found:
            tell(f"beside scikit-activeml: {duel.ours.name}, {duel.ours.shape.size:,} samples")
            if number:  # their first round was that which showed that they can
                once(duel.theirs, kept, limits, number)
            if duel.theirs.seconds:
                once(duel.ours, kept, limits, number)
    return found


def _matched(name: str, whole: Shape, kept: Windows, limits: Limits, tell: Tell) -> Duel:
    tried: list[Runs] = []
    for factor in SMALLER:
        shape = whole.smaller(factor)
        tell(f"scikit-activeml: {name}, {shape.k:,} of {shape.size:,}")
        tried.append(Runs(name, shape, "theirs"))
        once(tried[-1], kept, limits)
        if tried[-1].seconds:
            break
    theirs = tried.pop()
    return Duel(Runs(name, theirs.shape), theirs, tried)
