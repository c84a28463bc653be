"""What a stopping rule looks at: what successive model versions said, and what their labels brought."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from siftstream.schemas.errors import StrategyError


class Evidence(StrEnum):
    """One thing that a stopping rule reads; `siftstream strategies` lists each rule's."""

    PREDICTIONS = "predictions on a stop set"
    AUDIT = "audit accuracy"
    SCORES = "highest scores"
    LABELS = "labels"


SOURCE: Final[dict[Evidence, str]] = {
    Evidence.PREDICTIONS: "let each version predict the same unlabelled samples, some 2,000",
    Evidence.AUDIT: "turn the audit slice on",
    Evidence.SCORES: "record the highest score of each round",
    Evidence.LABELS: "record the labels that each version was trained on",
}


@dataclass(frozen=True)
class Audit:
    """How many of the audit samples a version had right, and how many there were."""

    correct: int
    total: int

    def __post_init__(self) -> None:
        if not 0 <= self.correct <= self.total:
            raise StrategyError(f"an audit of {self.total} samples cannot have {self.correct} right")


@dataclass(frozen=True, eq=False)
class History:
    """What was seen so far, oldest first; what is not at hand stays empty.

    `predictions`: the class numbers, [S] each, that successive versions give to one and the same stop set of
    S samples; `audits`: of each version; `highest`: the highest score of each round; `labels`: how many
    labels each version was trained on.

    Raises:
        StrategyError: stop sets differ in size or are empty, or a score is no number.

    >>> History(highest=(0.9, 0.4)).has(Evidence.SCORES)
    True
    """

    predictions: tuple[NDArray[np.int64], ...] = ()
    audits: tuple[Audit, ...] = ()
    highest: tuple[float, ...] = ()
    labels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        shapes = {np.shape(version) for version in self.predictions}
        if len(shapes) > 1 or any(len(shape) != 1 or not shape[0] for shape in shapes):
            raise StrategyError(
                "predictions must be class numbers [S] of one stop set, the same for every version;"
                f" got shapes {sorted(shapes)}"
            )
        if not np.isfinite(np.array(self.highest, np.float64)).all():
            raise StrategyError(f"highest scores must be numbers; got {self.highest}")

    def has(self, evidence: Evidence) -> bool:
        """Tell whether there is any of it."""
        match evidence:
            case Evidence.PREDICTIONS:
                return bool(self.predictions)
            case Evidence.AUDIT:
                return bool(self.audits)
            case Evidence.SCORES:
                return bool(self.highest)
            case Evidence.LABELS:
                return bool(self.labels)
