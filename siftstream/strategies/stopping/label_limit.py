"""Label limit: the labels that were planned are there."""

from typing import ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.stopping.history import Evidence, History
from siftstream.strategies.stopping.rule import StoppingRule, Verdict


@dataclass(frozen=True)
class LabelLimit(StoppingRule):
    """Stop where the newest version was trained on at least `labels` labels.

    >>> LabelLimit(labels=500).check(History(labels=(200, 400)))
    Verdict(stop=False, value=400.0, reason='400 of 500 labels')
    """

    name: ClassVar[str] = "label_limit"
    needs: ClassVar[frozenset[Evidence]] = frozenset({Evidence.LABELS})
    cost: ClassVar[str] = "1"
    when: ClassVar[str] = (
        "The plain end of a project, and with `all` a least number before another rule counts."
    )
    source: ClassVar[str] = "Settles, Active learning literature survey, 2009, section 6.7"

    labels: int = Field(default=1000, gt=0, description="Labels after which to stop.")

    def judge(self, history: History) -> Verdict:
        """Compare the newest count."""
        has = history.labels[-1]
        return Verdict(has >= self.labels, float(has), f"{has} of {self.labels} labels")
