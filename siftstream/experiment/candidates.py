"""The samples to choose from as the select stage shows them to a strategy."""

import numpy as np
from numpy.typing import NDArray

from siftstream.models.head import Head
from siftstream.strategies import Labelled, LinearHead, Window

Floats = NDArray[np.float32]


def candidates(
    head: Head,
    emb_BD: Floats,
    keys_B: NDArray[np.int64],
    emb_LD: Floats,
    classes_L: NDArray[np.int64],
) -> Window:
    """Return free samples [B] as a window, beside what is labelled [L] and the head that scored them.

    >>> window = candidates(
    ...     Head.uniform(1, 4, 3), np.zeros((5, 4), np.float32), np.arange(5),
    ...     np.zeros((0, 4), np.float32), np.zeros(0, np.int64),
    ... )
    >>> len(window), window.labelled is None, window.probs_BMC.shape
    (5, True, (5, 1, 3))
    """
    known = Labelled(emb_LD, classes_L, mean_probs(head, emb_LD)) if len(classes_L) else None
    scale = np.float32(head.temperature)
    return Window(
        head.probs(emb_BD),
        emb_BD,
        emb_LD,
        keys_B=keys_B.astype(np.uint64),
        labelled=known,
        head=LinearHead(head.weights_MDC / scale, head.bias_MC / scale) if head.linear else None,
    )


def mean_probs(head: Head, emb_BD: Floats) -> Floats:
    """Return the mean probabilities [B, C] of the head's members."""
    return head.probs(emb_BD).mean(axis=1)


def accuracy(head: Head, emb_BD: Floats, classes_B: NDArray[np.int64]) -> float:
    """Return the share of samples whose class is the likeliest one.

    >>> accuracy(Head.uniform(1, 2, 2), np.zeros((4, 2), np.float32), np.array([0, 0, 0, 1]))
    0.75
    """
    return float((mean_probs(head, emb_BD).argmax(axis=1) == classes_B).mean())
