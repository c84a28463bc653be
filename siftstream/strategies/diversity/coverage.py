"""Greedy coverage: each next row adds most to how well the rows taken stand for a sample of the window.

Facility location, max-herding and ProbCover are this with another similarity.
"""

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.blocks import blocks
from siftstream.strategies.distances import Floats
from siftstream.strategies.diversity.lazy import TAKEN, Float32, Rows, greedy
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.steady import steady
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.window import Window

KEPT_VALUES = 1 << 26  # similarities kept, 256 MiB; those of further rows are computed when needed
AT_ONCE = 8  # rows of a pool brought up to date together; twice as many after each try


class Likeness:
    """Similarities between points, from 0 to 1."""

    @abstractmethod
    def between(self, a_ID: Floats, b_JD: Floats) -> Float32:
        """Return the similarity of each point of `a` to each of `b`, [I, J], steady; the caller bounds it."""


@dataclass(frozen=True)
class Coverage(Strategy):
    """Greedily raises the mean over references of the similarity to the nearest chosen or covered row.

    References are rows of the window drawn evenly; after every `references` / 2 chosen rows others are drawn
    (never, where they are the whole window). A row's score is what it adds to that mean, at most the score
    before it. Where no row adds anything, the rest is taken in the order of the seed, with score 0.
    """

    family: ClassVar[Family] = Family.DIVERSITY
    needs: ClassVar[frozenset[Need]] = frozenset({Need.EMBEDDINGS})
    cost: ClassVar[str] = "B (R + k) D; R references"
    nested: ClassVar[bool] = True

    references: int = Field(
        default=1000, ge=1, description="Rows of the window, at random, that stand for all of it at a time."
    )

    @abstractmethod
    def likeness(self, window: Window, rng: np.random.Generator) -> Likeness:
        """Return the similarity, made for this window."""

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Take the row that adds most, `k` times."""
        emb_BD, likeness = window.emb_BD, self.likeness(window, rng)
        whole = self.references >= len(emb_BD)
        free_B = np.ones(len(emb_BD), bool)
        rows, scores = np.empty(0, np.int64), np.empty(0)
        while len(rows) < k:
            references = np.sort(rng.permutation(len(emb_BD))[: self.references])
            gains = _Gains(emb_BD, emb_BD[references], likeness)
            for taken_ND in (window.covered_ND, emb_BD[rows]):
                gains.cover(taken_ND)
            wanted = k - len(rows) if whole else min(k - len(rows), (self.references + 1) // 2)
            some, values = greedy(gains, gains.all_of(free_B), wanted, least=0.0)
            free_B[some] = False
            if whole or not len(some):
                rest = np.flatnonzero(free_B)[: k - len(rows) - len(some)]
                some, values = np.concatenate([some, rest]), np.concatenate([values, np.zeros(len(rest))])
            rows, scores = np.concatenate([rows, some]), np.concatenate([scores, values / len(references)])
            free_B[rows] = False
        return Selection(rows, np.minimum.accumulate(scores))


class _Gains:
    """What each row adds to the sum over references of the similarity to the nearest one taken."""

    def __init__(self, emb_BD: Floats, references_RD: Floats, likeness: Likeness) -> None:
        self.emb_BD, self.references_RD, self.likeness = emb_BD, references_RD, likeness
        self.best_R = np.zeros(len(references_RD), np.float32)
        # Similarities of the first rows, as many as are kept.
        self.kept_IR = np.empty(
            (min(len(emb_BD), KEPT_VALUES // len(references_RD)), len(references_RD)), "f4"
        )
        for part in blocks(len(self.kept_IR), self.width):
            self.kept_IR[part] = likeness.between(emb_BD[part], references_RD)

    @property
    def width(self) -> int:
        """Numbers that a row takes in a block."""
        return max(self.references_RD.shape)

    def of(self, rows: Rows) -> Float32:
        """Return the similarities of rows, which stand in order, to the references, [I, R]."""
        if int(rows[-1]) < len(self.kept_IR):
            return self.kept_IR[rows]
        return self.likeness.between(self.emb_BD[rows], self.references_RD)

    def cover(self, taken_ND: Floats) -> None:
        """Count rows of any array among those taken."""
        for part in blocks(len(taken_ND), self.width):
            likeness_NR = self.likeness.between(taken_ND[part], self.references_RD)
            np.maximum(self.best_R, likeness_NR.max(axis=0), out=self.best_R)

    def all_of(self, free_B: NDArray[np.bool_]) -> Float32:
        """Return what each row of the window adds, [B]; -inf for those not free."""
        added_B = self.now(np.arange(len(self.emb_BD)), np.full(len(self.emb_BD), np.inf, np.float32))
        added_B[~free_B] = TAKEN
        return added_B

    def now(self, rows: Rows, before: Float32) -> Float32:
        """Return what each of the rows adds now."""
        values = before.copy()
        for part in blocks(len(rows), self.width):
            values[part] = np.minimum(before[part], _added(self.of(rows[part]), self.best_R))
        return values

    def pool(self, rows: Rows, values: Float32) -> "_Pool":
        """Return the rows with their similarities to all references."""
        return _Pool(self, rows, values)


class _Pool:
    def __init__(self, gains: _Gains, rows: Rows, values: Float32) -> None:
        self.gains, self.bounds = gains, values
        self.likeness_IR = np.empty((len(rows), len(gains.references_RD)), np.float32)
        for part in blocks(len(rows), gains.width):
            self.likeness_IR[part] = gains.of(rows[part])
        self.fresh = np.ones(len(rows), bool)

    def best(self) -> int:
        """Return the place of the row that adds most; only rows whose bound leads are brought up to date."""
        batch = AT_ONCE
        while True:
            place = int(self.bounds.argmax())
            if self.fresh[place] or self.bounds[place] == TAKEN:
                return place
            stale = np.flatnonzero(~self.fresh & (self.bounds > TAKEN))
            if len(stale) > batch:
                stale = stale[np.argpartition(-self.bounds[stale], batch - 1)[:batch]]
            added = _added(self.likeness_IR[stale], self.gains.best_R)
            self.bounds[stale] = np.minimum(self.bounds[stale], added)
            self.fresh[stale] = True
            batch *= 2

    def take(self, place: int) -> None:
        """Let the row stand for the references that it is nearest to."""
        best_R = self.gains.best_R
        np.maximum(best_R, self.likeness_IR[place], out=best_R)
        self.bounds[place] = TAKEN
        self.fresh[:] = False


def _added(likeness_IR: Float32, best_R: Float32) -> Float32:
    """Return by how much each row raises the sum of the best similarities, [I]."""
    return steady(np.maximum(likeness_IR - best_R, 0.0).sum(axis=1, dtype=np.float64))


def unit_rows(emb_ID: Floats) -> NDArray[np.float64]:
    """Return the rows at length 1; a row of zeros stays one."""
    emb = emb_ID.astype(np.float64)
    lengths_I = np.sqrt(np.einsum("id,id->i", emb, emb))
    return emb / np.where(lengths_I > 0.0, lengths_I, 1.0)[:, None]
