"""Stratified by class: a random sample in which every predicted class has its share."""

from typing import ClassVar

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.baselines.strata import Share, spread_over
from siftstream.strategies.blocks import blocks
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class StratifiedByClass(Strategy):
    """Spreads k over the likeliest classes of the samples, at random within each class.

    `equal` gives every class that occurs k / S, and a class of fewer all it has; `proportional` k n / B.
    Remainders go by chance. Scores only say the order in which the classes alternate.

    >>> probs = np.array([[[0.9, 0.1]]] * 6 + [[[0.1, 0.9]]] * 2, np.float32)
    >>> window = Window(probs, np.zeros((8, 0), np.float32))
    >>> chosen = StratifiedByClass().select(window, 4, np.random.default_rng(0)).indices
    >>> sorted((chosen >= 6).tolist())
    [False, False, True, True]
    """

    name: ClassVar[str] = "stratified_by_class"
    family: ClassVar[Family] = Family.BASELINE
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBS})
    cost: ClassVar[str] = "B (M C + log B)"
    when: ClassVar[str] = (
        "Rare classes that random sampling would miss, once the model tells classes apart; proportional for"
        " estimates of less variance."
    )
    source: ClassVar[str] = "Cochran, Sampling techniques, 1977, chapter 5"

    share: Share = Field(
        default="equal",
        description="`equal`: every predicted class gives the same number; `proportional`: by how often it is"
        " predicted.",
    )

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Take the earlier rows of each class, whose order the seed gave."""
        class_B = np.empty(len(window), np.int64)
        for part in blocks(len(window), window.members * window.classes):
            class_B[part] = window.rows(part).probs_BMC.mean(axis=1, dtype=np.float64).argmax(axis=1)
        return spread_over(class_B, k, self.share, rng)
