"""How much room the quotas leave during a round: what was just picked counts at once."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.select.budget.budget import Budget
from siftstream.agents.select.window.window import Window

NOTHING: Final = -1  # the place of the class that an untrained model predicts


class Room:
    """The quotas of one partition, with the picks of the round under way."""

    def __init__(self, budget: Budget, classes: Sequence[str], untrained: str) -> None:
        """Args: the partition's budget; class names, by number; the version that predicts nothing."""
        self._budget, self._classes, self._untrained = budget, tuple(classes), untrained
        self._picked: Counter[str] = Counter()

    def has(self, window: Window, slots: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell for each row whether its quotas have room."""
        return np.array([self._left(accounts) > 0 for accounts in self._accounts(window, slots)], bool)

    def take(self, window: Window, slot: int) -> bool:
        """Count a row, if there is room for it."""
        (accounts,) = self._accounts(window, np.array([slot]))
        if self._left(accounts) <= 0:
            return False
        self._picked.update(accounts)
        return True

    def _left(self, accounts: Sequence[str]) -> int:
        return min((self._budget.room_in(name) - self._picked[name] for name in accounts), default=1)

    def _accounts(self, window: Window, slots: NDArray[np.int64]) -> list[tuple[str, ...]]:
        predicted = window.probs[slots].mean(axis=1).argmax(axis=1)
        predicted[window.is_of_version(slots, self._untrained)] = NOTHING
        names = (*self._classes, None)
        return [
            self._budget.quotas_of(names[number], metadata)
            for number, metadata in zip(predicted.tolist(), window.metadatas_of(slots), strict=True)
        ]
