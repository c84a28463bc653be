"""How strong the prior should be: the strength with the least log loss on labels that a fit did not see.

The log loss is taken at its best temperature where the head will be calibrated: a strong prior makes a head
modest, which a temperature mends, while a weak one makes it wrong, which nothing mends.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from siftstream.models.training.heads.folds import FOLDS, folds_of, inside, shares_outside
from siftstream.models.training.heads.linear import Regression

STRENGTHS: Final = tuple(10.0 ** (power / 2) for power in range(8, -3, -1))  # 10,000 down to 0.1
UNSURE: Final = 10.0  # where no label can be spared to find out
FEWEST: Final = 10  # labels
MOST: Final = 10_000  # labels: a prior's strength does not depend on how many there are
RISES: Final = 2  # strengths in a row that are worse than the best: the valley is behind
AS_IT_IS: Final = (1.0,)
TEMPERATURES: Final = tuple(np.exp(np.linspace(-2.5, 2.5, 41)))


@dataclass(frozen=True)
class Strength:
    """A strength of the prior and the log loss, nats a label, that it has in folds (nan: not known)."""

    l2: float
    log_loss: float


def best_strength(
    regression: Regression,
    targets_N: NDArray[np.int64],
    weights_N: NDArray[np.float32],
    seed: int,
    told: Callable[[float, float], None],
    *,
    calibrated: bool = True,
) -> Strength:
    """Return the strength with the least weighted log loss in five folds, tried from strong to weak.

    All folds are fitted at once, each strength beginning where the one before ended.

    Args:
        regression: The labels.
        targets_N: Their classes.
        weights_N: What each counts.
        seed: Of the folds.
        told: Hears the log loss and the share of the strengths that are done.
        calibrated: Whether the head gets a temperature in the end.
    """
    known = np.bincount(targets_N)[targets_N] > 1  # the only one of its class teaches nobody else
    if len(targets_N) < FEWEST or not (weights_N * known).sum() > 0 or len(set(targets_N[known])) < 2:
        return Strength(UNSURE, float("nan"))
    fold_N = folds_of(targets_N, seed)
    shares_NF = shares_outside(fold_N, weights_N[:, None])
    best, worse, start = Strength(UNSURE, float("inf")), 0, None
    temperatures = TEMPERATURES if calibrated else AS_IT_IS
    for done, l2 in enumerate(STRENGTHS):
        start = regression.fit(shares_NF, l2, start)
        logits_NC = inside(fold_N, regression.logits(start).numpy(), FOLDS)[:, 0]
        loss = least_log_loss(logits_NC, targets_N, weights_N * known, temperatures)
        told(loss, (done + 1) / len(STRENGTHS))
        if loss < best.log_loss:
            best, worse = Strength(l2, loss), 0
        else:
            worse += 1
        if worse == RISES:
            break
    return best


def least_log_loss(
    logits_NC: NDArray[np.float32],
    targets_N: NDArray[np.int64],
    weights_N: NDArray[np.float32],
    temperatures: Sequence[float] = AS_IT_IS,
) -> float:
    """Return the weighted mean of -log p(true class), nats, at the temperature where it is least.

    >>> logits = np.log(np.array([[0.5, 0.5], [0.25, 0.75]], np.float32))
    >>> round(least_log_loss(logits, np.array([0, 1]), np.ones(2, np.float32)), 4)
    0.4904
    """
    logits, picked = torch.from_numpy(logits_NC), torch.from_numpy(targets_N)[:, None]

    def loss(temperature: float) -> float:
        logs_N = torch.log_softmax(logits / temperature, dim=1).gather(1, picked)[:, 0]
        return float(-np.average(logs_N.numpy(), weights=weights_N))

    return min(map(loss, temperatures))
