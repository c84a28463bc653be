"""Randomised variable uncertainty: a variable threshold that is drawn anew around its place each time."""

from typing import ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.rules.draws import normal_of
from siftstream.strategies.rules.threshold import ThresholdRule, adapted


@dataclass(frozen=True)
class RandomisedVariableUncertainty(ThresholdRule):
    """Ask where max_c p(c | x) < t e with e from N(1, spread); t then moves as in variable uncertainty.

    So samples far from the decision border have a chance too, and drift there is noticed.

    >>> import numpy as np
    >>> from siftstream.strategies.window import Window
    >>> window = Window(np.full((400, 1, 2), 0.5), np.zeros((400, 0)))
    >>> rule = RandomisedVariableUncertainty(budget=0.1)
    >>> int(rule.decide(window, rule.start(np.random.default_rng(0))).taken_B.sum())
    51
    """

    name: ClassVar[str] = "randomised_variable_uncertainty"
    when: ClassVar[str] = (
        "Where the stream drifts, in places that the model is sure of too; in the paper the best with split."
    )
    source: ClassVar[str] = (
        "Zliobaite, Bifet, Pfahringer and Holmes, Active learning with drifting streaming data, IEEE TNNLS"
        " 25(1), 2014, variable uncertainty strategy with randomization"
    )

    step: float = Field(
        default=0.01, gt=0.0, lt=1.0, description="Share by which the threshold moves at a sample, s."
    )
    spread: float = Field(
        default=1.0, ge=0.0, allow_inf_nan=False, description="Standard deviation of the factor e, delta."
    )

    def ask(
        self, confidence: float, threshold: float, draws: list[float], classes: int
    ) -> tuple[bool, float]:
        """Compare with the threshold times a draw, and move it."""
        del classes
        factor = 1.0 + self.spread * normal_of(draws[0], draws[1])
        take = confidence < threshold * factor
        return take, adapted(threshold, self.step, take)
