"""Stratified by metadata: a random sample in which every value of one metadata key has its share."""

from typing import ClassVar

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.baselines.strata import Share, spread_over
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class StratifiedByMetadata(Strategy):
    """Spreads k over the values of `key`, at random within each; samples without it are a stratum too.

    `equal` gives every value that occurs k / S, and a value of fewer all it has; `proportional` k n / B.
    Remainders go by chance. Scores only say the order in which the values alternate.

    >>> sites = [{"site": "north"}] * 5 + [{"site": "south"}] * 2 + [{}]
    >>> window = Window(np.ones((8, 1, 1)), np.zeros((8, 0)), metadata=sites)
    >>> chosen = StratifiedByMetadata(key="site").select(window, 3, np.random.default_rng(0)).indices
    >>> sorted(sites[row].get("site", "") for row in chosen)
    ['', 'north', 'south']
    """

    name: ClassVar[str] = "stratified_by_metadata"
    family: ClassVar[Family] = Family.BASELINE
    needs: ClassVar[frozenset[Need]] = frozenset({Need.METADATA})
    cost: ClassVar[str] = "B log B"
    when: ClassVar[str] = (
        "Sites, devices or speakers that must all be heard, before any model exists; not keys that differ for"
        " every sample."
    )
    source: ClassVar[str] = "Cochran, Sampling techniques, 1977, chapter 5"

    key: str = Field(min_length=1, description="The metadata key whose values are the strata.")
    share: Share = Field(
        default="equal",
        description="`equal`: every value gives the same number; `proportional`: by how often it occurs.",
    )

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Take the earlier rows of each value, whose order the seed gave."""
        numbers: dict[str | None, int] = {}
        strata = [
            numbers.setdefault(found.get(self.key), len(numbers)) for found in window.metadata or ()
        ]  # by first appearance: the order of strata is the seed's too
        return spread_over(np.array(strata, np.int64), k, self.share, rng)
