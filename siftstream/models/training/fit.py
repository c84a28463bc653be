"""What fitting is, in either mode: weights by member, batches, the loss. Child process only.

Shape letters: N training labels, B batch, M members, C classes, D embedding dimension.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from siftstream.models.head import Head
from siftstream.schemas import Progress
from siftstream.schemas.errors import TrainingError

Tell = Callable[[Progress], None]

TOLD_EVERY = 50


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit found."""

    head: Head
    loss: float
    steps: int


def member_weights(weights_N: NDArray[np.float32], members: int, seed: int) -> NDArray[np.float32]:
    """Return what each label counts for each member [N, M]: as given for one, bootstrapped for several.

    A member's bootstrap is the Bayesian one (Rubin 1981): exponential weights, so that no label is left out.
    """
    weights_NM = np.repeat(weights_N[:, None], members, axis=1)
    if members > 1:
        weights_NM = weights_NM * np.random.default_rng(seed).exponential(size=weights_NM.shape)
    return (weights_NM / weights_NM.mean(axis=0)).astype(np.float32)


def batches(count: int, size: int, steps: int, generator: torch.Generator) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each step: every label once a pass, in a new order each time.

    >>> [sorted(rows.tolist()) for rows in batches(4, size=4, steps=2, generator=torch.Generator())]
    [[0, 1, 2, 3], [0, 1, 2, 3]]
    """
    left = np.zeros(0, np.int64)
    for _ in range(steps):
        while len(left) < size:
            left = np.concatenate([left, torch.randperm(count, generator=generator).numpy()])
        yield left[:size]
        left = left[size:]


def logits_of(emb_BD: Tensor, weights_MDC: Tensor, bias_MC: Tensor) -> Tensor:
    """Return the logits [B, M, C]."""
    return torch.einsum("bd,mdc->bmc", emb_BD, weights_MDC) + bias_MC


def loss_of(logits_BMC: Tensor, targets_B: Tensor, shares_BM: Tensor) -> Tensor:
    """Return the weighted cross-entropy, summed over members: each learns as if it were alone."""
    picked = targets_B[:, None, None].expand(-1, logits_BMC.shape[1], 1)
    losses_BM = -functional.log_softmax(logits_BMC, dim=2).gather(2, picked).squeeze(2)
    return (losses_BM * shares_BM).mean(dim=0).sum()


def fresh_heads(members: int, dim: int, classes: int, device: torch.device) -> list[Tensor]:
    """Return weights [M, D, C] and biases [M, C] of zeros, to be trained."""
    weights = torch.zeros(members, dim, classes, device=device, requires_grad=True)
    return [weights, torch.zeros(members, classes, device=device, requires_grad=True)]


def head_of(weights_MDC: Tensor, bias_MC: Tensor) -> Head:
    """Return trained tensors as a head."""
    return Head(weights_MDC.detach().cpu().numpy(), bias_MC.detach().cpu().numpy())


def finite(loss: float) -> float:
    """Return the loss; raises TrainingError where it is not finite."""
    if not np.isfinite(loss):
        raise TrainingError("training: the loss is not finite; lower learning_rate")
    return loss
