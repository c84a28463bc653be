"""Early stopping (Prechelt 1998): a run ends when held-out samples are answered no better."""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from siftstream.models.training.settings import EarlyStoppingSettings


class EarlyStopping:
    """Hears the held-out log loss of every epoch.

    >>> stopping = EarlyStopping(EarlyStoppingSettings(patience=2), nn.Linear(2, 2), [])
    >>> [stopping.after(epoch, loss) for epoch, loss in enumerate([0.9, 0.5, 0.6, 0.7], start=1)]
    [False, False, False, True]
    >>> stopping.best, stopping.best_epoch
    (0.5, 2)
    """

    def __init__(self, settings: EarlyStoppingSettings, net: nn.Module, heads: list[Tensor]) -> None:
        """Args: how patient; whose weights are kept."""
        self._patience = settings.patience
        self._net, self._heads = net, heads
        self._kept: tuple[dict[str, Any], list[Tensor]] | None = None
        self.best, self.best_epoch = math.inf, 0

    def after(self, epoch: int, loss: float) -> bool:
        """Take note of an epoch's loss, and return whether it was the last."""
        if loss < self.best:
            self.best, self.best_epoch = loss, epoch
            self._kept = (
                copy.deepcopy(self._net.state_dict()),
                [head.detach().clone() for head in self._heads],
            )
        return epoch - self.best_epoch >= self._patience

    def words(self, epochs: int) -> str:
        """Say which epoch was the best."""
        return (
            f"early stopping keeps the weights of epoch {self.best_epoch} of {epochs}, where the held-out"
            f" log loss was least, {self.best:.4g}"
        )

    def restore(self) -> None:
        """Put the best epoch's weights back."""
        if self._kept is None:
            return
        state, heads = self._kept
        self._net.load_state_dict(state)
        with torch.no_grad():
            for head, kept in zip(self._heads, heads, strict=True):
                head.copy_(kept)
