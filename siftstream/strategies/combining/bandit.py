"""Bandit: learns from the audit slice which strategy's rounds pay, and lets that one choose more often."""

import math
from bisect import insort
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.schemas.errors import StrategyError
from siftstream.strategies.beside import Past, Progress
from siftstream.strategies.combining.delegating import Delegating, Turn, held_by
from siftstream.strategies.inner import Inner, told_apart
from siftstream.strategies.steady import steady
from siftstream.strategies.strategy import Strategy

LOW, HIGH = 0.2, 0.8  # quantiles of the gains so far that stand for the rewards 0 and 1


@dataclass(frozen=True)
class Bandit(Delegating):
    """Draws arm j with p_j = (1 - N p_min) w_j / sum(w) + p_min, of N strategies, each an arm.

    After a round whose reward r in [0, 1] is known, each weight is multiplied by
    exp(p_min / 2 (r_j + 1 / p_j sqrt(ln(N / delta) / (N T)))), where r_j = r / p_j of the arm that held the
    round and 0 of the others: Exp4.P with strategies for experts, as ALBL has it.

    The state is no state: weights are worked out anew from the rounds in the log. p_j of a past round is what
    the rounds before it give; where their accuracy became known only after it was drawn, that is an
    approximation, and p_min bounds what it can do. Rounds of other strategies, and those whose accuracy is
    not known, teach nothing.

    >>> bandit = Bandit(strategies=["margin", "random"], reward="accuracy", floor=0.1, horizon=10)
    >>> bandit.chances(()).tolist()
    [0.5, 0.5]
    >>> bandit.chances((Past("margin", 0.6, 0.9),)).round(3).tolist()  # exp(0.05 * 0.9 / 0.5) to 1
    [0.518, 0.482]
    """

    name: ClassVar[str] = "bandit"
    when: ClassVar[str] = (
        "A long stream of unknown kind with an audit slice: after tens of rounds it is about as good as its"
        " best strategy; not for few rounds."
    )
    source: ClassVar[str] = (
        "Beygelzimer et al., Contextual bandit algorithms with supervised learning guarantees, AISTATS 2011,"
        " algorithm 1; Hsu and Lin, Active learning by learning, AAAI 2015; rewards scaled as in Graves et"
        " al., Automated curriculum learning for neural networks, ICML 2017"
    )

    strategies: tuple[Inner, ...] = Field(min_length=2, description="The strategies to draw from, the arms.")
    reward: Literal["gain", "accuracy"] = Field(
        default="gain",
        description="What a round earns: `gain`, the rise of the audit accuracy, from 0 at the lowest fifth"
        " of the rises so far to 1 at the highest; or `accuracy`, the audit accuracy after it.",
    )
    horizon: int = Field(default=100, gt=0, description="Rounds that it is tuned for, T.")
    floor: float | None = Field(
        default=None,
        gt=0.0,
        le=0.5,
        description="Least probability of each strategy, p_min; none: sqrt(ln N / (N T)), at most 1 / N.",
    )
    delta: float = Field(
        default=0.1, gt=0.0, lt=1.0, description="Probability with which its bound on regret may fail."
    )

    def __post_init__(self) -> None:
        """Raise StrategyError where the floor leaves nothing to choose."""
        if self.floor is not None and self.floor * len(self.strategies) > 1.0:
            raise StrategyError(
                f"bandit: a floor of {self.floor} for each of {len(self.strategies)} strategies is more than"
                f" 1 in all; at most {1 / len(self.strategies):.3g}"
            )

    @property
    def inner(self) -> tuple[Strategy, ...]:
        """The arms."""
        return self.strategies

    @property
    def least(self) -> float:
        """The least probability of an arm, p_min."""
        arms = len(self.strategies)
        tuned = min(1.0 / arms, math.sqrt(math.log(arms) / (arms * self.horizon)))
        return tuned if self.floor is None else self.floor

    def turn(self, progress: Progress, rng: np.random.Generator) -> Turn:
        """Draw the arm of this round."""
        reached = np.cumsum(self.chances(progress.past))
        which = int(np.searchsorted(reached, rng.random() * reached[-1], side="right"))
        which = min(which, len(self.strategies) - 1)
        label = told_apart(self.strategies)[which]
        return Turn(label, self.strategies[which], len(held_by(label, progress.past)))

    def chances(self, past: tuple[Past, ...]) -> NDArray[np.float64]:
        """Return the probability of each arm after these rounds, [N]."""
        arms, least = told_apart(self.strategies), self.least
        bonus = math.sqrt(math.log(len(arms) / self.delta) / (len(arms) * self.horizon))
        log_weights = [0.0] * len(arms)
        gains: list[float] = []
        for one in past:
            held = one.strategy.partition("/")[0]
            reward = self._reward(one, gains) if held in arms else None
            if reward is not None:
                for arm, chance in enumerate(_mixed(log_weights, least)):
                    earned = reward if arms[arm] == held else 0.0
                    log_weights[arm] += least / 2.0 * (earned + bonus) / chance
        return steady(np.array(_mixed(log_weights, least))).astype(np.float64)

    def _reward(self, one: Past, gains: list[float]) -> float | None:
        """Return the reward of a round, 0 to 1, or none if it is not known; its gain joins `gains`."""
        if one.after is None or (self.reward == "gain" and one.before is None):
            return None
        if self.reward == "accuracy" or one.before is None:
            return min(1.0, max(0.0, one.after))
        gain = one.after - one.before
        insort(gains, gain)
        low, high = _quantile(gains, LOW), _quantile(gains, HIGH)
        return min(1.0, max(0.0, (gain - low) / (high - low))) if high > low else 0.5


def _mixed(log_weights: list[float], least: float) -> list[float]:
    """Return the weights' shares, mixed with the least chance of each."""
    highest = max(log_weights)
    weights = [math.exp(one - highest) for one in log_weights]
    rest = (1.0 - len(weights) * least) / sum(weights)
    return [rest * weight + least for weight in weights]


def _quantile(ordered: list[float], share: float) -> float:
    """Return a quantile by linear interpolation, as numpy's, of values in order.

    >>> _quantile([0.0, 1.0, 4.0], 0.75)
    2.5
    """
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])
