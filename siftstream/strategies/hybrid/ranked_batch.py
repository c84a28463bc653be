"""Ranked batch: first what is far from all that is covered, more and more what is uncertain."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.distances import centre_of, squared_distances, to_nearest
from siftstream.strategies.hybrid.density import mean_over
from siftstream.strategies.hybrid.informative import best_rows, scores_in
from siftstream.strategies.inner import Scoring
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.uncertainty.least_confidence import LeastConfidence
from siftstream.strategies.window import Floats, Window

Doubles = NDArray[np.float64]
POOL = 1024  # rows of a turn, among which the next ones are taken


@dataclass(frozen=True)
class RankedBatch(Strategy):
    """Take k times the row of the highest alpha (1 - 1 / (1 + d)) + (1 - alpha) u.

    d is the distance to the nearest row covered or taken before, u the uncertainty, and alpha the share of
    rows that are neither: near 1 where little has a label. Where nothing is covered, the first is the row of
    the least mean distance to `references` random ones. A score is never above the one before it.
    Time at most O(B (N + k) D), far less where most rows are never among the best; memory B and a few blocks.

    One row of two is covered by a third: alpha is 2/3 and then 1/3, u is .5 and 0, d is 0 and then 4:

    >>> probs = np.array([[[0.5, 0.5]], [[1.0, 0.0]]])
    >>> window = Window(probs, np.array([[0.0], [4.0]]), covered_ND=np.array([[0.0]]))
    >>> chosen = RankedBatch().select(window, 2, np.random.default_rng(0))
    >>> chosen.indices.tolist(), chosen.scores.round(4).tolist()
    ([1, 0], [0.5333, 0.3333])
    """

    name: ClassVar[str] = "ranked_batch"
    family: ClassVar[Family] = Family.HYBRID
    needs: ClassVar[frozenset[Need]] = frozenset({Need.EMBEDDINGS})
    cost: ClassVar[str] = "B (M C + (N + k) D)"
    when: ClassVar[str] = (
        "Few labels, and annotators who may stop anywhere; at first it is k_center, outliers included."
    )
    source: ClassVar[str] = (
        "Cardoso, Silva, Canuto, Moro and Goncalves, Ranked batch-mode active learning, Information Sciences"
        " 379, 2017, the ranked batch score"
    )
    nested: ClassVar[bool] = True

    uncertainty: Scoring = Field(
        default_factory=LeastConfidence, description="What is u, from 0 to 1: a name or `{name, ...}`."
    )
    references: int = Field(
        default=2000, ge=1, description="Rows drawn to find the first by, where nothing is covered."
    )

    @property
    def reads(self) -> frozenset[Need]:
        """Embeddings, and what the uncertainty reads."""
        return self.needs | self.uncertainty.reads

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Take rows a turn at a time, as many in a turn as are sure to be next."""
        uncertainty_B = scores_in(window, self.uncertainty, rng)
        ranking = _Ranking(window.emb_BD, uncertainty_B, window.covered_ND)
        if not len(window.covered_ND):
            mean_B = mean_over(window.emb_BD, self.references, rng, lambda apart: apart)
            ranking.take(np.array([mean_B.argmin()]), np.ones(1))
        while len(ranking.rows) < k:
            ranking.take(*ranking.next_rows(k))
        return Selection(ranking.rows, np.minimum.accumulate(ranking.scores))


class _Ranking:
    """The rows taken so far; of every row the squared distance to those it has been compared with."""

    def __init__(self, emb_BD: Floats, uncertainty_B: Doubles, covered_ND: Floats) -> None:
        self.emb_BD, self.uncertainty_B = emb_BD, uncertainty_B
        self.centre_D = centre_of(emb_BD)
        self.all = len(emb_BD) + len(covered_ND)
        self.squared_B, _ = to_nearest(emb_BD, covered_ND, self.centre_D)
        self.seen_B = np.zeros(len(emb_BD), np.int64)
        self.free_B = np.ones(len(emb_BD), bool)
        self.rows, self.scores = np.empty(0, np.int64), np.empty(0)

    def take(self, rows: NDArray[np.int64], scores: Doubles) -> None:
        """Add rows."""
        self.rows, self.scores = np.concatenate([self.rows, rows]), np.concatenate([self.scores, scores])
        self.free_B[rows] = False

    def next_rows(self, k: int) -> tuple[NDArray[np.int64], Doubles]:
        """Return the rows that come next, as many as are sure, and their scores.

        Distances only fall, so a row scores at most what it would with an old one, and only the rows that
        would then be best are compared with the rows taken since. A score is linear in alpha: a bound that
        holds at both ends of a turn holds within it.
        """
        done, asked = len(self.rows), POOL
        end = min(done + POOL, k)
        while True:
            self._compare(best_rows(self._bounds(done, end), asked))
            bounds_B = self._bounds(done, end)
            pool = best_rows(bounds_B, POOL)
            pool = pool[(self.seen_B[pool] == done) & self.free_B[pool]]
            bounds_B[pool] = -np.inf
            outside = int(bounds_B.argmax())
            rows, scores = self._sure(pool, end, float(bounds_B[outside]), outside)
            if len(rows):
                return rows, scores
            asked *= 4

    def _bounds(self, done: int, end: int) -> Doubles:
        """Return what each row scores at most from `done` to `end` taken, [B]; a taken row -inf."""
        first_B, last_B = (
            _scores(self._alpha(taken), self.squared_B, self.uncertainty_B) for taken in (done, end - 1)
        )
        return np.where(self.free_B, np.maximum(first_B, last_B), -np.inf)

    def _alpha(self, taken: int) -> float:
        return (len(self.emb_BD) - taken) / self.all

    def _compare(self, rows: NDArray[np.int64]) -> None:
        """Bring the distances of some rows up to date; rows that miss about as many go together."""
        missing = len(self.rows) - self.seen_B[rows]
        levels = np.frexp(missing)[1]
        for level in np.unique(levels[missing > 0]).tolist():
            some = rows[levels == level]
            since = self.emb_BD[self.rows[-int(missing[levels == level].max()) :]]
            nearest, _ = to_nearest(self.emb_BD[some], since, self.centre_D)
            self.squared_B[some] = np.minimum(self.squared_B[some], nearest)
        self.seen_B[rows] = len(self.rows)

    def _sure(
        self, pool: NDArray[np.int64], end: int, bound: float, outside: int
    ) -> tuple[NDArray[np.int64], Doubles]:
        """Return the rows of the pool that come before all others, the best of which is at `bound`."""
        emb_ID, squared_I, free_I = self.emb_BD[pool], self.squared_B[pool], np.ones(len(pool), bool)
        apart_II = squared_distances(emb_ID, emb_ID, self.centre_D)
        taken: list[int] = []
        scores: list[float] = []
        for count in range(len(self.rows), min(end, len(self.rows) + len(pool))):
            scores_I = _scores(self._alpha(count), squared_I, self.uncertainty_B[pool])
            scores_I[~free_I] = -np.inf
            best = int(scores_I.argmax())
            if scores_I[best] < bound or (scores_I[best] == bound and pool[best] > outside):
                break
            taken.append(best)
            scores.append(float(scores_I[best]))
            free_I[best] = False
            np.minimum(squared_I, apart_II[best], out=squared_I)
        return pool[taken], np.array(scores)


def _scores(alpha: float, squared_B: NDArray[np.float32], uncertainty_B: Doubles) -> Doubles:
    novelty_B = 1.0 - 1.0 / (1.0 + np.sqrt(squared_B, dtype=np.float64))
    return alpha * novelty_B + (1.0 - alpha) * uncertainty_B
