"""The gate: which figures a candidate must not lose, and which it lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from siftstream.models.judging.figures import RECALL, Measured
from siftstream.models.judging.intervals import LEVEL
from siftstream.models.judging.settings import GateSettings
from siftstream.schemas.judgement import Figure, Interval

_SLACK: Final = 1e-9  # of numbers that are equal but for rounding
_DIGITS: Final = 6


@dataclass(frozen=True)
class Weighed:
    """A figure, and what the gate says of it."""

    measured: Measured
    allowed: float | None = None  # none: the gate does not ask
    kept: bool = True

    @property
    def excess(self) -> float:
        """How far beyond what is allowed it is worse, in half widths of its interval."""
        one = self.measured
        if self.allowed is None or one.gap is None:
            return 0.0
        low, high = one.gap.at()
        return (one.loss - self.allowed) / max((high - low) / 2, 1e-6)

    @property
    def figure(self) -> Figure:
        """It as published."""
        one = self.measured
        return Figure(
            name=one.name, samples=one.samples, count=one.count, value=round(one.value, _DIGITS),
            interval=_rounded(one.interval), live=None if one.live is None else round(one.live, _DIGITS),
            gap=None if one.gap is None else _rounded(one.gap.at(LEVEL)),
            allowed=self.allowed, kept=self.kept,
        )  # fmt: skip


def weighed(found: Sequence[Measured], gate: GateSettings) -> list[Weighed]:
    """Say of each figure whether it stayed within what is allowed.

    With `confidence`, only what is worse by more than that even at the kind end of its (one-sided, paired)
    interval is lost. Where `recall` asks for every class the confidence is that of all of them together
    (Bonferroni): else of a hundred classes some would be lost by chance at each judgement.

    >>> from siftstream.models.judging.intervals import shares_apart
    >>> worse = Measured("accuracy", 0.80, (0.75, 0.85), 200, live=0.85, gap=shares_apart(0.02, 0.07, 200))
    >>> [weighed([worse], gate)[0].kept for gate in (GateSettings(), GateSettings(confidence=0.95))]
    [False, True]
    """
    together = sum(RECALL in gate.allowed and _by_default(one, gate) for one in found)
    return [_weighed(one, gate, together if _by_default(one, gate) else 1) for one in found]


def _by_default(one: Measured, gate: GateSettings) -> bool:
    return one.name.startswith(f"{RECALL}/") and one.name not in gate.allowed


def _weighed(one: Measured, gate: GateSettings, together: int) -> Weighed:
    allowed = gate.allowed.get(one.name)
    if allowed is None and _by_default(one, gate):
        allowed = gate.allowed.get(RECALL)
    if allowed is None or one.live is None:
        return Weighed(one, allowed)
    kept = one.loss <= allowed + _SLACK
    if not kept and gate.confidence is not None:
        confidence = 1.0 - (1.0 - gate.confidence) / max(together, 1)
        kept = one.least_loss(2.0 * confidence - 1.0) <= allowed + _SLACK
    return Weighed(one, allowed, kept)


def _rounded(interval: Interval) -> Interval:
    return round(interval[0], _DIGITS), round(interval[1], _DIGITS)
