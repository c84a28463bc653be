"""PowerBALD: BALD with noise, a batch that does not repeat itself for the price of its scores."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.committee.bald import BALD
from siftstream.strategies.committee.stochastic import with_noise
from siftstream.strategies.needs import Need
from siftstream.strategies.strategy import Family, ScoreStrategy
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class PowerBALD(ScoreStrategy):
    """Score log BALD + e with e from Gumbel(0, 1 / beta): draws without replacement by BALD^beta.

    Rows on which the members agree come last. Scores may be below 0. Time O(B M C), memory O(B M C) for the
    gathered rows.

    >>> probs_BMC = np.array([[[0.5, 0.5], [0.5, 0.5]], [[1.0, 0.0], [0.0, 1.0]]])
    >>> window = Window(probs_BMC, np.zeros((2, 1)))
    >>> PowerBALD().select(window, 2, np.random.default_rng(0)).indices.tolist()
    [1, 0]
    """

    name: ClassVar[str] = "power_bald"
    family: ClassVar[Family] = Family.COMMITTEE
    needs: ClassVar[frozenset[Need]] = frozenset({Need.MEMBERS})
    cost: ClassVar[str] = "B M C"
    when: ClassVar[str] = (
        "The first choice for batches with members of the head: as varied as batch_bald at BALD's price."
    )
    source: ClassVar[str] = (
        "Kirsch, Farquhar, Atighehchian, Jesson, Branchaud-Charron and Gal, Stochastic batch acquisition:"
        " a simple baseline for deep active learning, TMLR 2023, section 3"
    )

    beta: float = Field(
        default=1.0,
        gt=0.0,
        allow_inf_nan=False,
        description="How close to the best scores it stays: towards 0 it draws uniformly.",
    )

    def score(self, window: Window, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return log BALD with noise of each row, [B]."""
        return with_noise(BALD().score(window, rng), "power", self.beta, rng)
