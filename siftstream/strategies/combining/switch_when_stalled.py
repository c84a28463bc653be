"""Switch when stalled: a strategy as long as the audit accuracy rises, then another one for good."""

from typing import ClassVar

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.beside import Past, Progress
from siftstream.strategies.combining.delegating import Delegating, Turn, held_by
from siftstream.strategies.inner import Inner, told_apart
from siftstream.strategies.strategy import Strategy


@dataclass(frozen=True)
class SwitchWhenStalled(Delegating):
    """Lets `first` choose until a_t - a_(t - patience) < least_gain for some round t, then `then` for good.

    a_t is the audit accuracy after round t, and a_0 the one before the first round. A round whose accuracy is
    not known yet is waited for, with those after it. All rounds since the first count, so what was decided
    once stays; that `then` held a round already says it as well.

    >>> switch = SwitchWhenStalled(first="margin", then="random", least_gain=0.01, patience=2)
    >>> rises = [Past("margin", 0.5, 0.6), Past("margin", 0.6, 0.61), Past("margin", 0.61, 0.605)]
    >>> [switch.switched(tuple(rises[:count])) for count in (2, 3)]  # 0.61 - 0.5, then 0.605 - 0.6
    [False, True]
    """

    name: ClassVar[str] = "switch_when_stalled"
    when: ClassVar[str] = (
        "A strategy that starts well and tires; needs an audit slice large enough that `least_gain` is no"
        " noise: 1,000 labels tell 0.03 apart."
    )
    source: ClassVar[str] = (
        "Donmez, Carbonell and Bennett, Dual strategy active learning, ECML 2007, which switches"
        " by the expected gain of error; here by the measured one"
    )

    first: Inner = Field(description="The strategy to begin with.")
    then: Inner = Field(description="The strategy after the accuracy has stalled.")
    least_gain: float = Field(
        default=0.005,
        allow_inf_nan=False,
        description="Audit accuracy (share, 0 to 1) that `patience` rounds must add, else it has stalled.",
    )
    patience: int = Field(default=5, gt=0, description="Rounds over which the gain is measured.")

    @property
    def inner(self) -> tuple[Strategy, ...]:
        """Both strategies."""
        return self.first, self.then

    def turn(self, progress: Progress, rng: np.random.Generator) -> Turn:
        """Return `then` once it has stalled, else `first`."""
        del rng
        which = int(self.switched(progress.past))
        label = told_apart(self.inner)[which]
        return Turn(label, self.inner[which], len(held_by(label, progress.past)))

    def switched(self, past: tuple[Past, ...]) -> bool:
        """Tell whether it stalled at any time."""
        if held_by(told_apart(self.inner)[1], past):
            return True
        known = _accuracies(past)
        return any(
            late - early < self.least_gain for early, late in zip(known, known[self.patience :], strict=False)
        )


def _accuracies(past: tuple[Past, ...]) -> list[float]:
    """Return the accuracy before the first round and after each, up to the first that is not known."""
    known: list[float] = []
    for number, one in enumerate(past):
        if number == 0 and one.before is not None:
            known.append(one.before)
        if one.after is None:
            break
        known.append(one.after)
    return known
