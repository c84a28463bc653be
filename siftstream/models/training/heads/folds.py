"""Folds of labels: each class dealt out evenly, the same for the same seed."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

FOLDS: Final = 5


def folds_of(targets_N: NDArray[np.int64], seed: int, folds: int = FOLDS) -> NDArray[np.int64]:
    """Return the fold [N] of each label; a class of several labels is in the rest of every fold.

    >>> folds = folds_of(np.array([0] * 10 + [1] * 5), seed=0)
    >>> [np.bincount(folds[:10]).tolist(), np.bincount(folds[10:]).tolist()]
    [[2, 2, 2, 2, 2], [1, 1, 1, 1, 1]]
    """
    random = np.random.default_rng(seed)
    order = random.permutation(len(targets_N))
    order = order[np.argsort(targets_N[order], kind="stable")]
    fold_N = np.empty(len(targets_N), np.int64)
    fold_N[order] = (np.arange(len(order)) + random.integers(folds)) % folds
    return fold_N


def shares_outside(
    fold_N: NDArray[np.int64], shares_NM: NDArray[np.float32], folds: int = FOLDS
) -> NDArray[np.float32]:
    """Return what each label counts for each member of each fold [N, folds * M]: nothing in its own fold.

    >>> shares_outside(np.array([0, 1]), np.ones((2, 1), np.float32), folds=2).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    outside_NF = fold_N[:, None] != np.arange(folds)
    return (outside_NF[:, :, None] * shares_NM[:, None, :]).reshape(len(fold_N), -1).astype(np.float32)


def inside(
    fold_N: NDArray[np.int64], values_NXC: NDArray[np.float32], folds: int = FOLDS
) -> NDArray[np.float32]:
    """Return what the members of each label's own fold [N, M, C] say, of all members [N, folds * M, C]."""
    count, _, classes = values_NXC.shape
    return values_NXC.reshape(count, folds, -1, classes)[np.arange(count), fold_N]
