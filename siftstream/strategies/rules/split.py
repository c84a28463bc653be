"""Split: a random part of the stream is asked at random, the rest by variable uncertainty."""

from typing import ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.rules.threshold import ThresholdRule, adapted


@dataclass(frozen=True)
class Split(ThresholdRule):
    """With chance v ask with chance `budget`; else as variable uncertainty, whose threshold only then moves.

    The labels of the random part are an unbiased sample, on which drift can be detected.

    >>> import numpy as np
    >>> from siftstream.strategies.window import Window
    >>> window = Window(np.full((400, 1, 2), 0.5), np.zeros((400, 0)))
    >>> rule = Split(budget=0.1)
    >>> int(rule.decide(window, rule.start(np.random.default_rng(0))).taken_B.sum())
    51
    """

    name: ClassVar[str] = "split"
    when: ClassVar[str] = (
        "Where drift must be detected: a share of the stream is labelled without preference."
    )
    source: ClassVar[str] = (
        "Zliobaite, Bifet, Pfahringer and Holmes, Active learning with drifting streaming data, IEEE TNNLS"
        " 25(1), 2014, split strategy"
    )

    step: float = Field(
        default=0.01, gt=0.0, lt=1.0, description="Share by which the threshold moves at a sample, s."
    )
    random_share: float = Field(
        default=0.1, ge=0.0, le=1.0, description="Share of the stream that is asked at random, v."
    )

    def ask(
        self, confidence: float, threshold: float, draws: list[float], classes: int
    ) -> tuple[bool, float]:
        """Draw which part the sample belongs to, and ask as that part does."""
        del classes
        if draws[0] < self.random_share:
            return draws[1] < self.budget, threshold
        take = confidence < threshold
        return take, adapted(threshold, self.step, take)
