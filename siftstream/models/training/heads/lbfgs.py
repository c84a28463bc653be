"""L-BFGS by hand, for several problems at once: each keeps its own step and ends on its own gradient.

After Nocedal and Wright 2006, algorithms 7.4 (two loops) and 3.1 (backtracking). torch.optim costs seconds of
import and knows one problem. Shape letters: M problems, P parameters of each.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

Function = Callable[[Tensor], tuple[Tensor, Tensor]]
KEPT: Final = 12  # pairs of steps and changes of the gradient
DESCENT: Final = 1e-4  # share of what the slope promises that a step must bring
HALVINGS: Final = 25
ROUNDING: Final = 1e-7  # of a loss, relative: less than that is no rise, where float32 is summed


@dataclass(frozen=True, eq=False)
class Minimum:
    """Where a search ended: parameters [M, P], losses [M], norms of the gradients [M], and passes made."""

    at_MP: Tensor
    loss_M: Tensor
    slope_M: Tensor
    passes: int


def minimise(
    function: Function,
    start_MP: Tensor,
    tolerance: float,
    *,
    most: int = 500,
    told: Callable[[Tensor, Tensor], None] | None = None,
) -> Minimum:
    """Return the minima of M smooth convex functions, from `start_MP` on.

    Args:
        function: Gives losses [M] and gradients [M, P] at parameters [M, P], all float64.
        start_MP: Where to begin.
        tolerance: A problem is solved where the norm of its gradient is not larger.
        most: Steps at most.
        told: Hears losses [M] and the norms [M] after each step.

    >>> wanted = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    >>> found = minimise(lambda x: (((x - wanted) ** 4).sum(1), 4 * (x - wanted) ** 3), 0 * wanted, 1e-9)
    >>> found.at_MP.round(decimals=2).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    at, (loss, slope) = start_MP, function(start_MP)
    pairs: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=KEPT)
    going = torch.ones(len(at), dtype=torch.bool)
    passes = 1
    for _ in range(most):
        norm = slope.norm(dim=1)
        going &= norm > tolerance  # a loss that is not finite ends here too
        if told is not None:
            told(loss, norm)
        if not going.any():
            break
        ahead = _direction(slope, pairs)
        promised = (ahead * slope).sum(dim=1)
        uphill = promised >= 0
        ahead = torch.where(uphill[:, None], -slope, ahead) * going[:, None]
        promised = (ahead * slope).sum(dim=1)
        length, fits = torch.ones_like(loss), ~going
        for _ in range(HALVINGS):
            there = at + length[:, None] * ahead
            loss_there, slope_there = function(there)
            passes += 1
            allowed = loss + DESCENT * length * promised + ROUNDING * loss.abs()
            fits = ~going | (loss_there <= allowed)
            if fits.all():
                break
            length = torch.where(fits, length, length / 2)
        else:  # rounding: what cannot be improved is as good as solved
            length, going = torch.where(fits, length, 0.0 * length), going & fits
            there = at + length[:, None] * ahead
            loss_there, slope_there = function(there)
            passes += 1
        step, change = there - at, slope_there - slope
        curved = (step * change).sum(dim=1)
        pairs.append((step, change, torch.where(curved > 1e-12 * change.square().sum(dim=1), curved, 0.0)))
        at, loss, slope = there, loss_there, slope_there
    return Minimum(at, loss, slope.norm(dim=1), passes)


def _direction(slope_MP: Tensor, pairs: "deque[tuple[Tensor, Tensor, Tensor]]") -> Tensor:
    """Return minus the inverse Hessian, as the pairs know it, times the gradient; useless pairs have 0."""
    if not pairs:
        return -slope_MP
    ahead, shares = slope_MP.clone(), list[Tensor]()
    for step, change, curved in reversed(pairs):
        share = torch.where(curved > 0, (step * ahead).sum(dim=1) / curved, 0.0)
        ahead -= share[:, None] * change
        shares.append(share)
    _, change, curved = pairs[-1]
    ahead *= torch.where(curved > 0, curved / change.square().sum(dim=1), 1.0)[:, None]
    for (step, change, curved), share in zip(pairs, reversed(shares), strict=True):
        back = torch.where(curved > 0, (change * ahead).sum(dim=1) / curved, 0.0)
        ahead += (share - back)[:, None] * step
    return -ahead
