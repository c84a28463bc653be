"""How typical of the window a sample is: means over the window, or over a bounded sample of it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from siftstream.strategies.blocks import blocks
from siftstream.strategies.distances import centre_of, squared_distances
from siftstream.strategies.steady import steady
from siftstream.strategies.window import Floats

Doubles = NDArray[np.float64]


def mean_cosine(emb_BD: Floats) -> Doubles:
    """Return the mean cosine of each row with every row, itself too, [B]; zero vectors are at 0 to all.

    It is the product with the mean of the rows at length 1: one pass to add them up, one to multiply.

    >>> mean_cosine(np.array([[2.0, 0.0], [0.0, 1.0]])).tolist()
    [0.5, 0.5]
    """
    total_D = np.zeros(emb_BD.shape[1])
    for part in blocks(*emb_BD.shape):
        total_D += _at_length_one(emb_BD[part]).sum(axis=0)
    mean_D = steady(total_D / len(emb_BD)).astype(np.float64)
    cosine_B = np.empty(len(emb_BD))
    for part in blocks(*emb_BD.shape):
        cosine_B[part] = steady(_at_length_one(emb_BD[part]) @ mean_D)
    return cosine_B


def mean_over(
    emb_BD: Floats, references: int, rng: np.random.Generator, of: Callable[[Doubles], Doubles]
) -> Doubles:
    """Return the mean of `of` over the distances of each row to a random sample of the rows, [B].

    All rows serve where they are no more than `references`. Time O(B references D).
    """
    few = min(references, len(emb_BD))
    sample = np.sort(rng.choice(len(emb_BD), few, replace=False)) if few < len(emb_BD) else slice(None)
    points_RD, centre_D = emb_BD[sample], centre_of(emb_BD)
    mean_B = np.empty(len(emb_BD))
    for part in blocks(len(emb_BD), max(few, emb_BD.shape[1])):
        distances = np.sqrt(squared_distances(emb_BD[part], points_RD, centre_D), dtype=np.float64)
        mean_B[part] = steady(of(distances).mean(axis=1))
    return mean_B


def _at_length_one(emb_BD: Floats) -> Doubles:
    emb_BD = emb_BD.astype(np.float64)
    lengths_B = np.sqrt(np.einsum("bd,bd->b", emb_BD, emb_BD))
    return emb_BD / np.where(lengths_B > 0.0, lengths_B, 1.0)[:, None]
