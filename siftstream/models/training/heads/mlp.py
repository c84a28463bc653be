"""Heads with one hidden layer of ReLU units, several at once, by AdamW in one cycle of a fixed length.

Shape letters: N labels, B batch, M members, C classes, D dimension, H hidden units.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from siftstream.models.training.adam import AdamW, one_cycle
from siftstream.models.training.fit import TOLD_EVERY, batches, finite, loss_of
from siftstream.models.training.heads.features import Features

BATCH: Final = 128
PASSES: Final = 20
STEPS: Final = (300, 5000)  # at least, at most
RATE: Final = 0.005
STRENGTHS: Final = (1000.0, 100.0, 10.0, 1.0)


@dataclass(frozen=True, eq=False)
class Hidden:
    """Two layers of M members, which read features, and the loss at the end."""

    hidden_MDH: Tensor
    hidden_bias_MH: Tensor
    weights_MHC: Tensor
    bias_MC: Tensor
    loss: float
    steps: int

    def logits(self, features_BD: Tensor) -> Tensor:
        """Return the logits [B, M, C]."""
        members, dim, units = self.hidden_MDH.shape
        columns = self.hidden_MDH.permute(1, 0, 2).reshape(dim, members * units)
        units_BMH = torch.relu((features_BD @ columns).view(-1, members, units) + self.hidden_bias_MH)
        return torch.einsum("bmh,mhc->bmc", units_BMH, self.weights_MHC) + self.bias_MC


def fit_hidden(
    features: Features,
    targets_N: NDArray[np.int64],
    shares_NM: NDArray[np.float32],
    classes: int,
    units: int,
    l2_M: NDArray[np.float32],
    seed: int,
    told: Callable[[int, int, float], None],
) -> Hidden:
    """Return M members, each with a Gaussian prior of strength `l2_M` on the weights of both layers.

    Raises:
        TrainingError: a loss that is not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    count, members = shares_NM.shape
    hidden = torch.randn(members, features.dim, units, generator=generator) * (2.0 / features.dim) ** 0.5
    weights = torch.randn(members, units, classes, generator=generator) * (1.0 / units) ** 0.5
    layers = [hidden, torch.zeros(members, units), weights, torch.zeros(members, classes)]
    for layer in layers:
        layer.requires_grad_()
    net = Hidden(*layers, loss=0.0, steps=0)
    optimiser = AdamW(layers, decay=0.0)
    size = min(BATCH, count)
    steps = min(max(PASSES * -(-count // size), STEPS[0]), STEPS[1])
    targets, shares = torch.from_numpy(targets_N), torch.from_numpy(shares_NM)
    prior = torch.from_numpy(l2_M)[:, None, None] / (2 * count)
    loss = 0.0
    for step, rows in enumerate(batches(count, size, steps, generator)):
        error = loss_of(net.logits(features.of(rows)), targets[rows], shares[rows])
        pull = (prior * net.hidden_MDH.square()).sum() + (prior * net.weights_MHC.square()).sum()
        (error + pull).backward()
        optimiser.step(one_cycle(step, steps, RATE))
        if step % TOLD_EVERY == 0 or step == steps - 1:
            loss = finite(float(error.detach())) / members
            told(step + 1, steps, loss)
    return Hidden(*(layer.detach() for layer in layers), loss=loss, steps=steps)
