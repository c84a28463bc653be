"""Random, then a strategy: a share of every batch at random, the rest by another strategy."""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.inner import Inner
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.uncertainty.margin import Margin
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class RandomThen(Strategy):
    """Draws r of the k rows from the whole window, then lets the strategy choose k - r of the others.

    `share` draws r = random_share * k rows, its fraction rounded by chance: a simple random sample of known
    size, fit for estimates. `epsilon` tosses for each of the k rows, so that r is binomial: epsilon-greedy.
    Either way k random_share rows are random in the mean, and they stand at random places of the answer. The
    strategy counts them as covered. A score says the place, 1 for the first; the two kinds do not compare.

    >>> probs = np.array([[[0.5, 0.5]]] * 4 + [[[1.0, 0.0]]] * 96, np.float32)
    >>> window = Window(probs, np.zeros((100, 0), np.float32))
    >>> chosen = RandomThen(strategy="margin", random_share=0.5).select(window, 4, np.random.default_rng(1))
    >>> chosen.scores.tolist(), int((chosen.indices < 4).sum())
    ([1.0, 0.75, 0.5, 0.25], 2)
    """

    name: ClassVar[str] = "random_then"
    family: ClassVar[Family] = Family.BASELINE
    cost: ClassVar[str] = "that of the strategy, and B"
    when: ClassVar[str] = (
        "A strategy that could look away from what it does not know; costs the random share, and repays it as"
        " a guard against blind spots."
    )
    source: ClassVar[str] = (
        "Sutton and Barto, Reinforcement learning, 2018, section 2.2 (epsilon-greedy); Beygelzimer, Dasgupta"
        " and Langford, Importance weighted active learning, ICML 2009, for why no sample may have chance 0"
    )

    strategy: Inner = Field(default_factory=Margin, description="What chooses the rest.")
    random_share: float = Field(
        default=0.1, ge=0.0, le=1.0, description="Share of the batch that is random, 0 to 1."
    )
    draw: Literal["share", "epsilon"] = Field(
        default="share",
        description="`share`: the same share of every batch; `epsilon`: each sample of a batch is random with"
        " that probability.",
    )

    @property
    def reads(self) -> frozenset[Need]:
        """What the strategy reads."""
        return self.strategy.reads

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Take the first rows, whose order the seed gave, and let the strategy choose of the others."""
        if self.draw == "epsilon":
            drawn = int(rng.binomial(k, self.random_share))
        else:
            drawn = min(k, int(self.random_share * k + rng.random()))
        by, rows = "", np.empty(k, np.int64)
        at_random = np.zeros(k, bool)
        at_random[rng.permutation(k)[:drawn]] = True
        rows[at_random] = np.arange(drawn)
        if drawn < k:
            chosen = self.strategy.choose(_after(window, drawn, self.strategy), k - drawn, rng)
            rows[~at_random], by = chosen.indices + drawn, chosen.by
        return Selection(rows, 1.0 - np.arange(k) / k, by)


def _after(window: Window, drawn: int, strategy: Strategy) -> Window:
    """Return the window without its first rows, which count as covered where embeddings are compared."""
    others = window.rows(np.arange(drawn, len(window))) if drawn else window
    if not drawn or not strategy.needs_embeddings:
        return others
    taken: NDArray[np.floating] = window.rows(slice(0, drawn)).emb_BD
    return others.but(covered_ND=np.concatenate([window.covered_ND, taken]))
