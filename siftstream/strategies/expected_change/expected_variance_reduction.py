"""Expected variance reduction: the samples that make a linear model of the window least uncertain."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from siftstream.strategies.blocks import blocks
from siftstream.strategies.expected_change.base import ExpectedReduction
from siftstream.strategies.expected_change.surrogate import Surrogate
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class ExpectedVarianceReduction(ExpectedReduction):
    """Score the mean over the references r of (r'A^-1 x)^2 / (1 + x'A^-1 x), A = X'X + ridge.

    The variance of a least-squares output at r is r'A^-1 r, in units of the noise; this is what a label for x
    takes off it, whatever the label is. A is of the labelled samples.
    Time O(L D^2 + D^3 + n (D^2 + R D)) for n candidates and R references.

    >>> from siftstream.strategies.beside import Labelled
    >>> points = np.array([[-1.0], [1.0], [3.0]])
    >>> known = Labelled(np.zeros((1, 1)), np.zeros(1, np.int64), np.ones((1, 1)))
    >>> window = Window(np.ones((3, 1, 1)), points, labelled=known)
    >>> ExpectedVarianceReduction().select(window, 1, np.random.default_rng(0)).indices.tolist()
    [2]
    """

    name: ClassVar[str] = "expected_variance_reduction"
    cost: ClassVar[str] = "B M C + L D^2 + D^3 + n D (D + R)"
    when: ClassVar[str] = (
        "For small labelled sets in an embedding that is nearly linear; it looks at no label and no"
        " probability, so it covers rather than refines."
    )
    source: ClassVar[str] = (
        "Cohn, Ghahramani and Jordan, Active learning with statistical models, JAIR 4, 1996; Settles, Active"
        " learning literature survey, 2009, section 5"
    )

    def reductions(self, surrogate: Surrogate, candidates: Window, references: Window) -> NDArray[np.float64]:
        """Return the mean variance that each candidate's label takes off, [B]."""
        references_RE = surrogate.extended(references.emb_BD)
        reduced_B = np.empty(len(candidates))
        for part in blocks(len(candidates), max(references_RE.shape)):
            x_BE = surrogate.extended(candidates.emb_BD[part])
            moved_BR, leverage_B = surrogate.moved_by(x_BE, references_RE)
            reduced_B[part] = np.square(moved_BR).mean(axis=1) * (1.0 + leverage_B)
        return reduced_B
