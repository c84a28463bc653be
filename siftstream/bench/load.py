"""What is pushed: so many samples that every partition's last round ends with its last sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from siftstream.streams.partition import partitions_of_ids

PARTITIONS = 4
ABOUT = 200  # samples a round and partition; fewer where there would be few rounds
FOURTH = 4  # one sample in four is chosen
_LOT = 1024


@dataclass(frozen=True)
class Load:
    """Samples to push and rounds to hold; one in four samples is chosen.

    `every` new samples a partition make a round, which chooses `per_round`. A warm-up is one round of every
    partition, before the clock starts.
    """

    rounds: int
    every: int

    @classmethod
    def of(cls, count: int) -> "Load":
        """Return the load nearest to `count` samples; at least 16.

        >>> Load.of(8000), Load.of(8000).count, Load.of(8000).chosen
        (Load(rounds=10, every=200), 8000, 2000)
        >>> Load.of(200).count, Load.of(1).count
        (192, 16)
        """
        each = max(FOURTH, count // PARTITIONS)
        rounds = max(1, round(each / ABOUT), min(FOURTH, each // 16))
        return cls(rounds, each // rounds // FOURTH * FOURTH)

    @property
    def per_round(self) -> int:
        """Samples chosen a round and partition."""
        return self.every // FOURTH

    @property
    def count(self) -> int:
        """Samples in all."""
        return PARTITIONS * self.rounds * self.every

    @property
    def chosen(self) -> int:
        """Samples chosen in all."""
        return self.count // FOURTH

    @property
    def warm(self) -> "Load":
        """What is pushed before the clock starts."""
        return Load(1, self.every)

    def select(self) -> dict[str, object]:
        """Return the settings of the select stage."""
        return {
            "strategy": {"name": "least-confidence"}, "audit": {"fraction": 0.0},
            "trigger": {"every": self.every}, "budget": {"per_round": self.per_round},
        }  # fmt: skip


def ids_for(name: str, count: int, partitions: int = PARTITIONS) -> list[str]:
    """Return sample ids that begin with `name`, the same number for each partition, in mixed order.

    >>> len(ids_for("a", 100)), sorted(partitions_of_ids(ids_for("a", 8), 4))
    (100, [0, 0, 1, 1, 2, 2, 3, 3])
    """
    room = [count // partitions] * partitions
    found: list[str] = []
    number = 0
    while len(found) < count:
        lot = [f"{name}-{n:08d}" for n in range(number, number + _LOT)]
        number += _LOT
        for one, partition in zip(lot, partitions_of_ids(lot, partitions), strict=True):
            if room[partition]:
                room[partition] -= 1
                found.append(one)
    return found


def samples(name: str, uris: Sequence[str], count: int) -> list[tuple[str, str]]:
    """Return pairs of sample id and URI; files are read again under another id where there are too few."""
    return list(zip(ids_for(name, count), islice(cycle(uris), count), strict=True))
