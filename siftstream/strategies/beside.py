"""What a window may carry beside probabilities and embeddings: labels, a head, tokens, the past rounds.

Shape letters as in `window.py`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Labelled:
    """Samples whose class is known, as the current model sees them.

    `emb_LD`: their embeddings; `classes_L`: their classes by number; `probs_LC`: the mean probabilities that
    the current model gives them.
    """

    emb_LD: Floats
    classes_L: NDArray[np.int64]
    probs_LC: Floats

    def __len__(self) -> int:
        return len(self.classes_L)

    def counts(self, classes: int) -> NDArray[np.int64]:
        """Return how many there are of each class, [C]."""
        return np.bincount(self.classes_L, minlength=classes)


@dataclass(frozen=True, eq=False)
class LinearHead:
    """The last layer: logits of member m are `emb @ weights_MDC[m] + bias_MC[m]`."""

    weights_MDC: Floats
    bias_MC: Floats


@dataclass(frozen=True, eq=False)
class Tokens:
    """Class probabilities of each token of each sample, padded: `probs_BTC`, of which `lengths_B` count."""

    probs_BTC: Floats
    lengths_B: NDArray[np.int64]


@dataclass(frozen=True)
class Past:
    """A round that was held: the strategy that chose in it, and the accuracy before and after its labels.

    Accuracies are those on the audit slice, and None as long as they are not known.
    """

    strategy: str
    before: float | None = None
    after: float | None = None


@dataclass(frozen=True)
class Progress:
    """Where the stream stands: this round's number from 0, its partition, and the rounds before it."""

    round: int = 0
    partition: int = 0
    past: tuple[Past, ...] = ()
