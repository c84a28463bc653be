"""Plateau: the audit accuracy has not risen for some versions, as far as the audit can tell."""

from math import sqrt
from statistics import NormalDist
from typing import ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.stopping.history import Audit, Evidence, History
from siftstream.strategies.stopping.rule import StoppingRule, Verdict, too_early


@dataclass(frozen=True)
class AccuracyPlateau(StoppingRule):
    """Stop where the last `versions` versions gained less than `gain`, with a one-sided `confidence`.

    What is compared with `gain` is the upper end of the interval of the gain: with p = (correct + 1) /
    (total + 2) of the two audits, p2 - p1 + z sqrt(p1 (1 - p1) / n1 + p2 (1 - p2) / n2), n = total + 2. A
    small audit has a wide interval, and never stops. Audits of the same samples are paired, which makes the
    interval wider than need be.

    >>> before, after = Audit(8998, 9998), Audit(9048, 9998)  # 0.8999 and 0.9049
    >>> AccuracyPlateau(versions=1).check(History(audits=(before, after))).reason
    'the last 1 versions gained 0.005, at most 0.010 with confidence 0.9: under 0.02'
    """

    name: ClassVar[str] = "accuracy_plateau"
    needs: ClassVar[frozenset[Evidence]] = frozenset({Evidence.AUDIT})
    cost: ClassVar[str] = "1"
    when: ClassVar[str] = (
        "The only one that sees accuracy itself; two points of gain take an audit of about a thousand labels"
        " a version to rule out."
    )
    source: ClassVar[str] = (
        "Agresti and Caffo, Simple and effective confidence intervals for proportions and differences of"
        " proportions, The American Statistician 54(4), 2000"
    )

    gain: float = Field(
        default=0.02, gt=0.0, lt=1.0, description="Gain in accuracy under which more labels are not worth it."
    )
    versions: int = Field(default=3, gt=0, description="Versions over which the gain is taken.")
    confidence: float = Field(
        default=0.9, gt=0.5, lt=1.0, description="Chance with which the true gain is under the upper end."
    )

    def judge(self, history: History) -> Verdict:
        """Compare the newest audit with the one some versions ago."""
        audits = history.audits[-(self.versions + 1) :]
        if len(audits) <= self.versions:
            return too_early(len(audits), self.versions + 1, "audited versions")
        gained, upper = gain_of(audits[0], audits[-1], self.confidence)
        stop = upper < self.gain
        return Verdict(
            stop,
            upper,
            f"the last {self.versions} versions gained {gained:.3f}, at most {upper:.3f} with confidence"
            f" {self.confidence:g}: {'under' if stop else 'not under'} {self.gain:g}",
        )


def gain_of(before: Audit, after: Audit, confidence: float) -> tuple[float, float]:
    """Return the gain in accuracy between two audits, and the upper end of its one-sided interval."""
    n1, n2 = before.total + 2, after.total + 2
    p1, p2 = (before.correct + 1) / n1, (after.correct + 1) / n2
    spread = sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
    return p2 - p1, p2 - p1 + NormalDist().inv_cdf(confidence) * spread
