"""DAL: samples that a classifier of labelled versus window is surest to be from the window."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.hybrid.informative import best_rows
from siftstream.strategies.hybrid.logistic import Discriminator
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.window import Floats, Window


@dataclass(frozen=True)
class Dal(Strategy):
    """Score the log-odds of being from the window, against what is covered and what was chosen before.

    A batch comes in `sub_batches` parts; after each, its rows change sides and the classifier, a logistic
    regression, is fitted anew. It is fitted to at most `sample` random rows of each side, and both sides
    weigh the same. Where nothing is covered the first part is random, of log-odds 0. Time O(B D) and
    O(sample D^2) for each part.

    >>> points = np.array([[0.0], [1.0], [2.0]])
    >>> window = Window(np.ones((3, 1, 1)), points, covered_ND=np.array([[0.0]]))
    >>> Dal(sub_batches=1).select(window, 2, np.random.default_rng(0)).indices.tolist()
    [2, 1]
    """

    name: ClassVar[str] = "dal"
    family: ClassVar[Family] = Family.HYBRID
    needs: ClassVar[frozenset[Need]] = frozenset({Need.EMBEDDINGS})
    cost: ClassVar[str] = "sub_batches (B D + sample D^2)"
    when: ClassVar[str] = (
        "To make the labelled look like the stream, after drift too; it heeds no uncertainty, and a linear"
        " classifier sees the direction of a shift alone."
    )
    source: ClassVar[str] = (
        "Gissin and Shalev-Shwartz, Discriminative active learning, 2019, with sub-batches (here"
        " a linear classifier on the embeddings)"
    )

    sub_batches: int = Field(
        default=10, ge=1, description="Parts of a batch, each with a classifier of its own."
    )
    ridge: float = Field(
        default=1.0,
        gt=0.0,
        allow_inf_nan=False,
        description="L2 penalty of the classifier, as 1 / C elsewhere.",
    )
    sample: int = Field(
        default=2000, ge=2, description="Most rows of each side that the classifier is fitted to."
    )

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Take the parts one after another, and rank all rows by the log-odds they were taken with."""
        free = np.arange(len(window))
        rows, scores = np.empty(0, np.int64), np.empty(0)
        for part in range(min(self.sub_batches, k)):
            count = (k - len(rows)) // (min(self.sub_batches, k) - part)
            odds_F = self._log_odds(window, free, rows, rng)
            best = best_rows(odds_F, count)
            rows, scores = np.concatenate([rows, free[best]]), np.concatenate([scores, odds_F[best]])
            free = np.delete(free, best)
        return Selection.ranked(rows, scores)

    def _log_odds(
        self, window: Window, free: NDArray[np.int64], rows: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Return the log-odds of the free rows."""
        if not len(rows) + len(window.covered_ND):
            return np.zeros(len(free))
        few = _some(len(free), self.sample, rng)
        others = _some(len(window.covered_ND) + len(rows), self.sample, rng)
        covered = others[others < len(window.covered_ND)]
        chosen = rows[others[len(covered) :] - len(window.covered_ND)]
        others_JD: Floats = np.concatenate(
            [window.covered_ND[covered].astype(np.float64), window.emb_BD[chosen].astype(np.float64)]
        )
        classifier = Discriminator.between(window.emb_BD[free[few]], others_JD, self.ridge)
        return classifier.log_odds(window.emb_BD[free]).astype(np.float64)


def _some(count: int, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return at most `most` numbers below `count`, ascending; drawn where they are not all."""
    return np.arange(count) if count <= most else np.sort(rng.choice(count, most, replace=False))
