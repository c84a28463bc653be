"""What was chosen before, as `selected` tells it."""

from collections import defaultdict
from dataclasses import dataclass, field
from sys import intern
from typing import NamedTuple

from siftstream.agents.select.ids import Ids
from siftstream.schemas import Reason, Selected
from siftstream.streams.record import Record


class Held(NamedTuple):
    """What chose in a round, why it was its turn, and the model version it went by."""

    strategy: str
    version: str
    reason: Reason = Reason.STRATEGY


@dataclass
class Chosen:
    """One partition's choices so far."""

    ids: Ids = field(default_factory=Ids)
    last_round: int = -1
    rounds: dict[int, Held] = field(default_factory=dict)  # in which something else than chance chose


class ChosenBefore:
    """A fold over `selected`: the ids a partition has handed out, and its rounds."""

    def __init__(self) -> None:
        self._partitions: defaultdict[int, Chosen] = defaultdict(Chosen)

    def fold(self, record: Record) -> None:
        """Learn one selection.

        Raises:
            SchemaError: not a `Selected`.
        """
        chosen = Selected.decode(record.value)
        self.note(record.partition, chosen)

    def note(self, partition: int, chosen: Selected) -> None:
        """Learn one selection that was just made."""
        mine = self._partitions[partition]
        mine.ids.add(chosen.sample_id)
        mine.last_round = max(mine.last_round, chosen.round)
        if chosen.reason is not Reason.AUDIT and chosen.round not in mine.rounds:
            mine.rounds[chosen.round] = Held(
                intern(chosen.strategy), intern(chosen.model_version or ""), chosen.reason
            )

    def of(self, partition: int) -> Chosen:
        """The partition's choices."""
        return self._partitions[partition]
