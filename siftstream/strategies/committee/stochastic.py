"""Stochastic batches: another strategy's scores with noise, so that a batch does not repeat one idea."""

from typing import ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.inner import Scoring
from siftstream.strategies.needs import Need
from siftstream.strategies.strategy import Family, ScoreStrategy
from siftstream.strategies.uncertainty.margin import Margin
from siftstream.strategies.window import Window

Mode: TypeAlias = Literal["power", "softmax", "softrank"]


@dataclass(frozen=True)
class Stochastic(ScoreStrategy):
    """Score what the inner strategy's score becomes under Gumbel noise: a draw without replacement.

    With noise e from Gumbel(0, 1 / beta): `power` scores log s + e, so draws in proportion to s^beta;
    `softmax` scores s + e, so to exp(beta s); `softrank` scores e - log r of the rank r from 1, so to
    r^-beta. Time and memory: the inner strategy's and O(B).

    >>> probs_BMC = np.array([[[0.5, 0.5]], [[1.0, 0.0]], [[0.6, 0.4]]])
    >>> window = Window(probs_BMC, np.zeros((3, 1)))
    >>> Stochastic(mode="softmax", beta=1e9).select(window, 3, np.random.default_rng(0)).indices.tolist()
    [0, 2, 1]
    """

    name: ClassVar[str] = "stochastic"
    family: ClassVar[Family] = Family.COMMITTEE
    cost: ClassVar[str] = "that of its strategy, and B"
    when: ClassVar[str] = (
        "A cheap cure for batches that repeat themselves, of any scoring strategy; for one sample a round"
        " the noise only harms."
    )
    source: ClassVar[str] = (
        "Kirsch, Farquhar, Atighehchian, Jesson, Branchaud-Charron and Gal, Stochastic batch acquisition:"
        " a simple baseline for deep active learning, TMLR 2023, section 3"
    )

    strategy: Scoring = Field(
        default_factory=Margin, description="The strategy whose scores get the noise; one that scores rows."
    )
    mode: Mode = Field(
        default="power",
        description="`power` draws by powers of scores of 0 or more; `softmax` by their exponentials;"
        " `softrank` by their ranks, whatever their scale.",
    )
    beta: float = Field(
        default=1.0,
        gt=0.0,
        allow_inf_nan=False,
        description="How close to the best scores it stays: towards 0 it draws uniformly.",
    )

    @property
    def reads(self) -> frozenset[Need]:
        """What the inner strategy reads."""
        return self.strategy.reads

    def score(self, window: Window, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the score of each row with noise, [B]; it may be below 0."""
        return with_noise(self.strategy.score(window, rng), self.mode, self.beta, rng)


def with_noise(
    scores_B: NDArray[np.float64], mode: Mode, beta: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return scores, or what `mode` makes of them, with Gumbel noise of scale 1 / beta, [B].

    For `power` a score of 0 or less counts as the least number there is, so it is drawn after all others.
    """
    if mode == "power":
        plain_B = np.log(np.maximum(scores_B, np.finfo(np.float64).tiny))
    elif mode == "softmax":
        plain_B = scores_B
    else:
        plain_B = np.empty(len(scores_B))
        plain_B[np.argsort(-scores_B, kind="stable")] = -np.log(np.arange(1.0, len(scores_B) + 1.0))
    return plain_B + rng.gumbel(size=len(scores_B)) / beta
