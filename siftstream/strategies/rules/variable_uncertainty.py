"""Variable uncertainty: a threshold that falls with each label asked and rises with each one not asked."""

from typing import ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.rules.threshold import ThresholdRule, adapted


@dataclass(frozen=True)
class VariableUncertainty(ThresholdRule):
    """Ask where max_c p(c | x) < t; then t <- t (1 - s), and t (1 + s) where it was not asked.

    t begins at 1 and stays where it is while the budget is spent.

    >>> import numpy as np
    >>> from siftstream.strategies.window import Window
    >>> probs = np.array([[[0.9, 0.1]], [[0.95, 0.05]], [[0.6, 0.4]]])
    >>> rule = VariableUncertainty(budget=0.5, step=0.1)
    >>> after = rule.decide(Window(probs, np.zeros((3, 0))), rule.start(np.random.default_rng(0)))
    >>> after.taken_B.tolist(), round(after.state.threshold, 3)
    ([True, False, True], 0.891)
    """

    name: ClassVar[str] = "variable_uncertainty"
    when: ClassVar[str] = (
        "Spends the budget evenly whatever the model's confidence; blind to drift far from the border."
    )
    source: ClassVar[str] = (
        "Zliobaite, Bifet, Pfahringer and Holmes, Active learning with drifting streaming data, IEEE TNNLS"
        " 25(1), 2014, variable uncertainty strategy"
    )

    step: float = Field(
        default=0.01, gt=0.0, lt=1.0, description="Share by which the threshold moves at a sample, s."
    )

    def ask(
        self, confidence: float, threshold: float, draws: list[float], classes: int
    ) -> tuple[bool, float]:
        """Compare with the threshold, and move it."""
        del draws, classes
        take = confidence < threshold
        return take, adapted(threshold, self.step, take)
