"""Isotonic calibration of two classes: the rising steps that fit what was found best."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_PRIOR: Final = 1.0  # samples of the other class at each end, so that nothing is held impossible
_CELLS: Final = 2_000  # places at most; more samples are joined with their neighbours
_ROUNDS: Final = 30

Doubles = NDArray[np.float64]


def fit_isotonic(
    probs_BM: NDArray[np.floating], second_B: NDArray[np.bool_], *, prior: float = _PRIOR
) -> NDArray[np.float32]:
    """Return the knots [K, 2]: probabilities of the second class, rising, and what they mean.

    Between knots it is linear, beyond them constant. With one member: pool adjacent violators (Ayer et al.
    1955; Zadrozny and Elkan 2002). With several, the steps are those whose *mean over members* is likeliest:
    a mixture, so expectation (which member spoke) and maximisation (the steps) alternate.

    Args:
        probs_BM: What each member says of the second class.
        second_B: Whether it is the second class.
        prior: Samples against each end of the range; keeps the steps strictly inside 0..1.

    >>> said, second = np.array([[0.1], [0.2], [0.7], [0.9]]), np.array([False, True, False, True])
    >>> fit_isotonic(said, second, prior=0).tolist()[1:3] == np.float32([[0.2, 0.5], [0.7, 0.5]]).tolist()
    True
    """
    size, members = probs_BM.shape
    places_K, cell_BM = _cells(probs_BM.astype(np.float64))
    second_BM = np.repeat(second_B[:, None], members, axis=1)
    share_BM = np.full((size, members), 1.0 / members)
    last, steps_K = -np.inf, places_K
    for _ in range(_ROUNDS):
        steps_K = _steps(places_K, cell_BM, second_BM, share_BM, prior)
        if members == 1:
            break
        said_BM = steps_K[cell_BM]
        said_BM = np.clip(np.where(second_BM, said_BM, 1.0 - said_BM), 1e-12, None)
        share_BM = said_BM / said_BM.sum(axis=1, keepdims=True)
        likelihood = float(np.log(said_BM.mean(axis=1)).sum())
        if likelihood - last < 1e-4:
            break
        last = likelihood
    return np.stack(_corners(places_K, steps_K), axis=1).astype(np.float32)


def pooled(means_K: Doubles, weights_K: Doubles) -> Doubles:
    """Return the rising values nearest to `means_K` by weighted squares: pool adjacent violators.

    >>> pooled(np.array([1.0, 3.0, 2.0, 4.0]), np.array([1.0, 1.0, 3.0, 1.0])).tolist()
    [1.0, 2.25, 2.25, 4.0]
    """
    blocks: list[tuple[float, float, int]] = []  # mean, weight, members
    for mean, weight in zip(means_K.tolist(), weights_K.tolist(), strict=True):
        count = 1
        while blocks and blocks[-1][0] >= mean:
            before, heavy, many = blocks.pop()
            mean = (before * heavy + mean * weight) / (heavy + weight)
            weight, count = heavy + weight, many + count
        blocks.append((mean, weight, count))
    return np.repeat([block[0] for block in blocks], [block[2] for block in blocks])


def _cells(probs_BM: Doubles) -> tuple[Doubles, NDArray[np.intp]]:
    """Return the distinct places, joined where there are very many, and the place of each probability."""
    places_K, cell = np.unique(probs_BM, return_inverse=True)
    cell_BM = cell.reshape(probs_BM.shape)
    if len(places_K) <= _CELLS:
        return places_K, cell_BM
    join_K = np.arange(len(places_K)) * _CELLS // len(places_K)
    return np.bincount(join_K, weights=places_K) / np.bincount(join_K), join_K[cell_BM]


def _steps(
    places_K: Doubles,
    cell_BM: NDArray[np.intp],
    second_BM: NDArray[np.bool_],
    share_BM: Doubles,
    prior: float,
) -> Doubles:
    cells, count = cell_BM.ravel(), len(places_K)
    weights_K: Doubles = np.bincount(cells, weights=share_BM.ravel(), minlength=count).astype(np.float64)
    second_K = np.bincount(cells, weights=(share_BM * second_BM).ravel(), minlength=count)
    weights_K[0] += prior
    second_K[0] += prior
    weights_K[-1] += prior
    return pooled(second_K / np.maximum(weights_K, 1e-12), weights_K)


def _corners(places_K: Doubles, steps_K: Doubles) -> tuple[Doubles, Doubles]:
    """Return the first and the last place of each step."""
    turn = np.flatnonzero(np.diff(steps_K) > 0)
    keep = np.unique(np.concatenate([[0], turn, turn + 1, [len(places_K) - 1]]))
    if len(keep) == 1:
        keep = np.array([0, 0])
    return places_K[keep], steps_K[keep]
