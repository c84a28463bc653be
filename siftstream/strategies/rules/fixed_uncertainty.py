"""Fixed uncertainty: ask where the likeliest class is less likely than a fixed threshold."""

from typing import ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.rules.threshold import ThresholdRule


@dataclass(frozen=True)
class FixedUncertainty(ThresholdRule):
    """Ask where max_c p(c | x) < threshold.

    >>> import numpy as np
    >>> from siftstream.strategies.window import Window
    >>> probs = np.array([[[0.9, 0.1]], [[0.55, 0.45]], [[0.5, 0.5]]])
    >>> rule = FixedUncertainty(budget=0.2, threshold=0.6)
    >>> rule.decide(Window(probs, np.zeros((3, 0))), rule.start(np.random.default_rng(0))).taken_B.tolist()
    [False, True, True]
    """

    name: ClassVar[str] = "fixed_uncertainty"
    when: ClassVar[str] = (
        "The plainest rule, for a calibrated model and a stream that does not drift: as the model grows sure,"
        " it stops asking."
    )
    source: ClassVar[str] = (
        "Zliobaite, Bifet, Pfahringer and Holmes, Active learning with drifting streaming data, IEEE TNNLS"
        " 25(1), 2014, fixed uncertainty strategy and section on the labelling budget"
    )

    threshold: float | None = Field(
        default=None,
        ge=0.0,
        description="Probability of the likeliest class under which a label is asked. None:"
        " 1/C + budget (1 - 1/C), which asks of the budget's share where confidence is spread evenly.",
    )

    def ask(
        self, confidence: float, threshold: float, draws: list[float], classes: int
    ) -> tuple[bool, float]:
        """Compare with the fixed threshold."""
        del draws
        fixed = self.threshold
        if fixed is None:
            fixed = 1.0 / classes + self.budget * (1.0 - 1.0 / classes)
        return confidence < fixed, threshold
