"""Euclidean distances between many points by matrix products, in blocks of bounded memory."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siftstream.strategies.blocks import blocks
from siftstream.strategies.steady import steady

ROUNDING = 1e-13  # of the squared norms: less is the rounding of equal points, so it is 0
UNIT32 = 2.0**-24  # rounding of one float32 operation
Floats = NDArray[np.floating[Any]]


def centre_of(emb_BD: Floats) -> NDArray[np.float64]:
    """Return the mean of the points, [D], in steady numbers."""
    total_D = np.zeros(emb_BD.shape[1])
    for part in blocks(*emb_BD.shape):
        total_D += emb_BD[part].sum(axis=0, dtype=np.float64)
    return steady(total_D / max(1, len(emb_BD))).astype(np.float64)


def squared_distances(a_ID: Floats, b_JD: Floats, centre_D: Floats | None = None) -> NDArray[np.float32]:
    """Return the squared distance of each point of `a` to each of `b`, [I, J]; equal points are at exactly 0.

    Computed in float64 around `centre_D`, which keeps points far from the origin exact; the caller bounds
    I * J. float16 and float32 points are taken as they are.

    >>> squared_distances(np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[3.0, 4.0]])).tolist()
    [[25.0], [0.0]]
    """
    a, b = a_ID.astype(np.float64), b_JD.astype(np.float64)
    if centre_D is not None:
        a -= centre_D
        b -= centre_D
    norms_I, norms_J = np.einsum("id,id->i", a, a), np.einsum("jd,jd->j", b, b)
    both_IJ = norms_I[:, None] + norms_J
    squared_IJ = a @ b.T
    squared_IJ *= -2.0
    squared_IJ += both_IJ
    both_IJ *= ROUNDING
    squared_IJ[squared_IJ < both_IJ] = 0.0
    return steady(squared_IJ)


def paired(a_ID: Floats, b_ID: Floats) -> NDArray[np.float32]:
    """Return the squared distance of each point of `a` to the point of `b` in the same place, [I].

    By differences, so that no digit is lost: equal points are at exactly 0.
    """
    squared_I = np.empty(len(a_ID), np.float32)
    for part in blocks(*a_ID.shape):
        apart = np.subtract(a_ID[part], b_ID[part], dtype=np.float64)
        squared_I[part] = steady(np.einsum("id,id->i", apart, apart))
    return squared_I


@dataclass(frozen=True, eq=False)
class Centred:
    """Points as they are, and less a centre in float32 with a number 1 beside them, [I, D + 1].

    One product with points prepared by `against` gives distances that are right but for `slack_I`.
    """

    points_ID: Floats
    shifted_IE: NDArray[np.float32]
    lengths_I: NDArray[np.float32]

    @classmethod
    def of(cls, points_ID: Floats, centre_D: Floats) -> "Centred":
        """Prepare points; a float32 copy of them, and a block."""
        size, width = points_ID.shape
        shifted_IE = np.ones((size, width + 1), np.float32)
        lengths_I = np.empty(size, np.float32)
        centre = centre_D.astype(np.float32)
        for part in blocks(size, width):
            shifted = shifted_IE[part, :width]
            np.subtract(points_ID[part], centre, out=shifted)
            lengths_I[part] = np.sqrt(np.einsum("id,id->i", shifted, shifted))
        return cls(points_ID, shifted_IE, lengths_I)

    def __len__(self) -> int:
        return len(self.points_ID)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> "Centred":
        return Centred(self.points_ID[rows], self.shifted_IE[rows], self.lengths_I[rows])

    @cached_property
    def against(self) -> NDArray[np.float32]:
        """-2 times the points and their squared lengths, [D + 1, I]: the other side of the product."""
        other_IE = self.shifted_IE * np.float32(-2.0)
        other_IE[:, -1] = self.lengths_I**2
        return other_IE.T

    def nearest(self, others: "Centred", centre_D: Floats) -> NDArray[np.int64]:
        """Return which of the other points is nearest to each, [I]; ties go to the earlier one.

        Found in float32; where two come closer to each other than its rounding, in float64. The caller
        bounds I * J.
        """
        # |a - b|^2 - |a|^2 for all pairs; each is off by less than the slack of its row.
        apart_IJ = self.shifted_IE @ others.against
        which_I = apart_IJ.argmin(axis=1)
        rows = np.arange(len(self))
        least_I = apart_IJ[rows, which_I]
        apart_IJ[rows, which_I] = np.inf
        longest = others.lengths_I.max()
        slack_I = (self.shifted_IE.shape[1] + 8) * UNIT32 * longest * (2.0 * self.lengths_I + longest)
        unsure = np.flatnonzero(apart_IJ.min(axis=1) <= least_I + 2.0 * slack_I)
        if len(unsure):
            exact = squared_distances(self.points_ID[unsure], others.points_ID, centre_D)
            which_I[unsure] = exact.argmin(axis=1)
        return which_I


def to_nearest(
    emb_BD: Floats, points_ND: Floats, centre_D: Floats | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the squared distance of each row to the nearest of the points, and which it is, [B] each.

    Without points, distances are infinite and the nearest is -1. Ties go to the earlier point. `centre_D`
    is any point amid the rows; without it, it is their mean. Memory: a few blocks.
    """
    squared_B = np.full(len(emb_BD), np.inf, np.float32)
    nearest_B = np.full(len(emb_BD), -1, np.int64)
    if not len(points_ND) or not len(emb_BD):
        return squared_B, nearest_B
    centre = centre_of(emb_BD) if centre_D is None else centre_D
    width = emb_BD.shape[1]
    for some in blocks(len(points_ND), max(width, 1024)):
        points = Centred.of(points_ND[some], centre)
        for part in blocks(len(emb_BD), max(width, len(points))):
            rows = emb_BD[part]
            which = Centred.of(rows, centre).nearest(points, centre)
            least = paired(rows, points.points_ID[which])
            closer = least < squared_B[part]
            squared_B[part][closer] = least[closer]
            nearest_B[part][closer] = which[closer] + some.start
    return squared_B, nearest_B


def neighbours(
    emb_BD: Floats, points_ND: Floats, count: int, *, same: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return squared distances to the `count` nearest points, nearest first, and which they are, [B, count].

    With `same`, the points are the rows themselves and a row is no neighbour of its own. Ties go to the
    earlier point. `count` is lowered to the points there are.
    """
    count = min(count, len(points_ND) - same)
    squared_BK = np.empty((len(emb_BD), count), np.float32)
    nearest_BK = np.empty((len(emb_BD), count), np.int64)
    if not count:
        return squared_BK, nearest_BK
    centre_D, width = centre_of(emb_BD), emb_BD.shape[1]
    for part in blocks(len(emb_BD), max(width, len(points_ND))):
        squared = squared_distances(emb_BD[part], points_ND, centre_D)
        if same:
            squared[np.arange(len(squared)), np.arange(part.start, part.stop)] = np.inf
        squared_BK[part], nearest_BK[part] = _smallest(squared, count)
    return squared_BK, nearest_BK


def _smallest(squared_IJ: NDArray[np.float32], count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the `count` smallest of each row, smallest first, and their columns; ties by column.

    The bits of a number that is not negative sort as the number does; with the column behind them no two
    keys are the same, so that a partition has one answer.
    """
    keys_IJ = squared_IJ.view(np.uint32).astype(np.uint64)
    keys_IJ <<= np.uint64(32)
    keys_IJ |= np.arange(squared_IJ.shape[1], dtype=np.uint64)
    keys_IJ.partition(count - 1, axis=1)
    best_IK = np.sort(keys_IJ[:, :count], axis=1)
    values_IK = (best_IK >> np.uint64(32)).astype(np.uint32).view(np.float32)
    return values_IK, (best_IK & np.uint64(0xFFFFFFFF)).astype(np.int64)
