"""Determinantal point process: rows whose embeddings span the largest volume, each weighed by its quality."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.blocks import blocks
from siftstream.strategies.distances import Floats
from siftstream.strategies.diversity.coverage import unit_rows
from siftstream.strategies.diversity.lazy import TAKEN, Float32, Rows, greedy
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.steady import steady
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.uncertainty.base import mean_probs
from siftstream.strategies.uncertainty.margin import Margin
from siftstream.strategies.window import Window

NO_VOLUME = 1e-9  # a row that adds less lies in the span of the others
COVERED_ADDS = 1e-3  # a covered row that adds less is left out of the span of the covered ones


@dataclass(frozen=True)
class DPP(Strategy):
    """Greedily maximise det(L) with L_ij = q_i <f_i, f_j> q_j, f of length 1 and q = exp(weight * (u - 1)).

    u is the margin uncertainty, from 0 to 1, where the window has probabilities; else q is 1. What a row
    adds is q^2 times the squared length of f outside the span of the rows taken and of the covered ones (at
    most D / 2 of these, the most diverse). A span of D rows leaves nothing to add: then a new round starts
    over with the rows left, whose scores are one lower. Time O(B k D), less by lazy evaluation; memory a few
    blocks and O(D^2).

    >>> points = np.array([[2.0, 0.0], [3.0, 4.0], [1.0, 0.0]], np.float32)
    >>> window = Window(np.ones((3, 1, 0), np.float32), points, covered_ND=points[:1])
    >>> chosen = DPP().select(window, 2, np.random.default_rng(0))
    >>> chosen.indices[0].item(), chosen.scores.round(4).tolist()  # (4 / 5)^2; then nothing in this round
    (1, [0.64, -1.0])
    """

    name: ClassVar[str] = "dpp"
    family: ClassVar[Family] = Family.DIVERSITY
    needs: ClassVar[frozenset[Need]] = frozenset({Need.EMBEDDINGS})
    cost: ClassVar[str] = "B k D"
    when: ClassVar[str] = (
        "For batches of up to D rows that are unlike each other and unsure; outliers included beyond that."
    )
    nested: ClassVar[bool] = True
    source: ClassVar[str] = (
        "Chen, Zhang and Zhou, Fast greedy MAP inference for determinantal point process to improve"
        " recommendation diversity, NeurIPS 2018, algorithm 1 (here on the low-rank factor of L)"
    )

    weight: float = Field(
        default=1.0, ge=0.0, le=5.0, description="How much the margin counts beside diversity; 0: not at all."
    )

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Take the row that adds most volume, `k` times."""
        del rng
        emb_BD, squared_B = window.emb_BD, self._quality(window) ** 2
        span_SD = _span(window.covered_ND)
        rows, scores = np.empty(0, np.int64), np.empty(0)
        turn = 0
        while len(rows) < k:
            bounds_B = steady(squared_B)
            bounds_B[rows] = TAKEN
            some, values = greedy(
                _Volume(emb_BD, squared_B, span_SD), bounds_B, k - len(rows), least=NO_VOLUME
            )
            if not len(some):
                if len(span_SD):  # the covered rows span everything: a round without them
                    span_SD, turn = span_SD[:0], turn + 1
                    continue
                left_B = np.ones(len(emb_BD), bool)
                left_B[rows] = False
                some = np.flatnonzero(left_B)[: k - len(rows)]
                values = np.zeros(len(some))
            rows, scores = np.concatenate([rows, some]), np.concatenate([scores, values - turn])
            turn += 1
        return Selection(rows, scores)

    def _quality(self, window: Window) -> NDArray[np.float64]:
        quality_B = np.ones(len(window))
        if self.weight and window.has(Need.PROBS):
            for part in blocks(len(window), window.members * window.classes):
                unsure = Margin.of(mean_probs(window.rows(part)))
                quality_B[part] = np.exp(self.weight * (np.clip(unsure, 0.0, 1.0) - 1.0))
        return quality_B


class _Volume:
    """What rows add to the volume that those taken span: their squared length outside the span, times q^2."""

    def __init__(self, emb_BD: Floats, squared_B: NDArray[np.float64], span_SD: NDArray[np.float64]) -> None:
        width = emb_BD.shape[1]
        self.emb_BD, self.squared_B = emb_BD, squared_B
        self.basis_DD = np.zeros((width, width))
        self.size = len(span_SD)
        self.basis_DD[: self.size] = span_SD
        self.left_B = np.full(len(emb_BD), np.nan)  # squared length outside the span; not known yet
        self.seen_B = np.zeros(len(emb_BD), np.int64)

    @property
    def basis_SD(self) -> NDArray[np.float64]:
        """An orthonormal basis of the span so far."""
        return self.basis_DD[: self.size]

    def now(self, rows: Rows, before: Float32) -> Float32:
        """Return what each row adds to the volume now."""
        for part in blocks(len(rows), self.emb_BD.shape[1]):
            self._catch_up(rows[part])
        values = steady(self.squared_B[rows] * np.maximum(self.left_B[rows], 0.0))
        return np.minimum(before, values)

    def pool(self, rows: Rows, values: Float32) -> "_Pool":
        """Return the rows with what of them lies outside the span."""
        return _Pool(self, rows, values)

    def outside(self, unit_ID: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the part of rows that is outside the span; done twice, which takes the rounding off."""
        for _ in range(2):
            unit_ID = unit_ID - (unit_ID @ self.basis_SD.T) @ self.basis_SD
        return unit_ID

    def add(self, outside_D: NDArray[np.float64]) -> NDArray[np.float64]:
        """Widen the span by a row; return the new direction."""
        outside_D = self.outside(outside_D[None])[0]
        self.basis_DD[self.size] = outside_D / np.sqrt(outside_D @ outside_D)
        self.size += 1
        return self.basis_DD[self.size - 1]

    def _catch_up(self, rows: Rows) -> None:
        unit_ID = unit_rows(self.emb_BD[rows])
        new = np.isnan(self.left_B[rows])
        self.left_B[rows[new]] = np.einsum("id,id->i", unit_ID[new], unit_ID[new])
        since = int(self.seen_B[rows].min(initial=self.size))
        along_IS = unit_ID @ self.basis_DD[since : self.size].T
        along_IS[np.arange(since, self.size) < self.seen_B[rows][:, None]] = 0.0
        self.left_B[rows] -= np.einsum("is,is->i", along_IS, along_IS)
        self.seen_B[rows] = self.size


class _Pool:
    def __init__(self, volume: _Volume, rows: Rows, values: Float32) -> None:
        self.volume, self.rows, self.bounds = volume, rows, values
        self.outside_ID = volume.outside(unit_rows(volume.emb_BD[rows]))

    def best(self) -> int:
        """Return the place of the row that adds most."""
        return int(self.bounds.argmax())

    def take(self, place: int) -> None:
        """Widen the span by the row."""
        volume, rows = self.volume, self.rows
        along_I = self.outside_ID @ volume.add(self.outside_ID[place])
        volume.left_B[rows] -= along_I**2
        volume.seen_B[rows] = volume.size
        values = steady(volume.squared_B[rows] * np.maximum(volume.left_B[rows], 0.0))
        np.minimum(self.bounds, values, out=self.bounds)
        self.bounds[place] = TAKEN


def _span(covered_ND: Floats) -> NDArray[np.float64]:
    """Return an orthonormal basis of the most diverse covered rows, at most D / 2 of them."""
    size, width = covered_ND.shape
    volume = _Volume(covered_ND, np.ones(size), np.empty((0, width)))
    greedy(volume, np.ones(size, np.float32), min(size, max(1, width // 2)), least=COVERED_ADDS)
    return volume.basis_SD
