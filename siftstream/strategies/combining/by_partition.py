"""By partition: each partition's window has a strategy of its own, the diverse workers of one stream."""

from typing import ClassVar

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.beside import Progress
from siftstream.strategies.combining.delegating import Delegating, Turn
from siftstream.strategies.inner import Inner, told_apart
from siftstream.strategies.strategy import Strategy


@dataclass(frozen=True)
class ByPartition(Delegating):
    """Partition p has the strategy p mod S of the S listed, unless `partitions` names one for it.

    >>> by_partition = ByPartition(strategies=["margin", "random"], partitions={3: "entropy"})
    >>> rng = np.random.default_rng(0)
    >>> [by_partition.turn(Progress(partition=number), rng).label for number in range(4)]
    ['margin', 'random', 'margin', 'entropy']
    """

    name: ClassVar[str] = "by_partition"
    when: ClassVar[str] = (
        "Several partitions and no favourite: unlike strategies seldom choose alike, so one batch covers"
        " more; not where partitions are too small to rank."
    )
    source: ClassVar[str] = (
        "Abe and Mamitsuka, Query learning strategies using boosting and bagging, ICML 1998, for voters that"
        " differ; Kafka's partitions are what they differ by here"
    )

    strategies: tuple[Inner, ...] = Field(
        min_length=1,
        description="Strategies of partitions 0, 1, 2, ..., from the start again where there are fewer.",
    )
    partitions: dict[int, Inner] = Field(
        default_factory=dict[int, Strategy], description="Strategies of single partitions, by number."
    )

    @property
    def inner(self) -> tuple[Strategy, ...]:
        """The listed strategies, then those of single partitions."""
        return *self.strategies, *self.partitions.values()

    def turn(self, progress: Progress, rng: np.random.Generator) -> Turn:
        """Return the strategy of this partition."""
        del rng
        named = list(self.partitions)
        if progress.partition in self.partitions:
            which = len(self.strategies) + named.index(progress.partition)
        else:
            which = progress.partition % len(self.strategies)
        return Turn(told_apart(self.inner)[which], self.inner[which], progress.round)
