"""Farthest-first traversal: from a random row to the row farthest from all before, and so on."""

from typing import ClassVar

import numpy as np
from pydantic.dataclasses import dataclass

from siftstream.strategies.diversity.traversal import farthest
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class FarthestFirst(Strategy):
    """Score the Euclidean distance to the nearest row chosen before; the first row is random.

    Looks at the window alone: unlike k_center, it neither starts from what is covered nor keeps away from
    it, and its start is random instead of central. The first row's score is its distance to the farthest
    row. Time at most O(k B D), and less where k is large; memory O(B) and a few blocks.

    >>> points = np.array([[0.0], [1.0], [10.0]], np.float32)
    >>> window = Window(np.ones((3, 1, 1), np.float32), points, covered_ND=points[2:])
    >>> FarthestFirst().select(window, 3, np.random.default_rng(0)).scores.tolist()
    [10.0, 10.0, 1.0]
    """

    name: ClassVar[str] = "farthest_first"
    family: ClassVar[Family] = Family.DIVERSITY
    needs: ClassVar[frozenset[Need]] = frozenset({Need.EMBEDDINGS})
    cost: ClassVar[str] = "B k D"
    when: ClassVar[str] = (
        "For a first spread over a window when nothing is labelled; k_center where something is."
    )
    nested: ClassVar[bool] = True
    source: ClassVar[str] = (
        "Rosenkrantz, Stearns and Lewis, An analysis of several heuristics for the traveling salesman"
        " problem, SIAM Journal on Computing 1977; Gonzalez, Theoretical Computer Science 1985"
    )

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Take a random row, then the farthest ones."""
        return farthest(window.emb_BD, k, first=int(rng.integers(len(window))))
