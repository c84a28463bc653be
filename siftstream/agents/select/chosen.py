"""What one partition has chosen before, as `selected` tells it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import NamedTuple

from siftstream.agents.select.ids import Ids
from siftstream.schemas import Reason, Selected, Trigger


class Held(NamedTuple):
    """What chose in a round, why it was its turn, and the model version it went by."""

    strategy: str
    version: str
    reason: Reason = Reason.STRATEGY


@dataclass
class Chosen:
    """A partition's choices so far: what stands, what was recalled, and the rounds that were held."""

    ids: Ids = field(default_factory=Ids)  # chosen and not recalled
    recalled: Ids = field(default_factory=Ids)  # recalled and not chosen again
    last_round: int = -1
    counted_to: int = 0  # `seen` of the last round by count
    timed_to: float = float("-inf")  # newest event time at the last round by time
    delivered: dict[str, int] = field(default_factory=dict[str, int])  # samples chosen for each query
    _rounds: dict[int, Held] = field(default_factory=dict[int, Held])

    @property
    def rounds(self) -> Mapping[int, Held]:
        """The rounds in which something else than chance or a query chose, by number."""
        return self._rounds

    def note(self, one: Selected) -> None:
        """Learn one choice."""
        self.ids.add(one.sample_id)
        self.recalled.discard(one.sample_id)
        self.last_round = max(self.last_round, one.round)
        match one.trigger:
            case Trigger.COUNT:
                self.counted_to = max(self.counted_to, one.seen)
            case Trigger.TIME:
                self.timed_to = max(self.timed_to, one.event_time)
            case Trigger.QUERY | Trigger.DEMAND:
                pass
        if one.query_id is not None:
            self.delivered[one.query_id] = self.delivered.get(one.query_id, 0) + 1
        elif one.reason is not Reason.AUDIT and one.round not in self._rounds:
            version = intern(one.model_version or "")
            self._rounds[one.round] = Held(intern(one.strategy), version, one.reason)

    def recall(self, sample_id: str) -> None:
        """Learn that a choice was recalled: it may be made again."""
        self.ids.discard(sample_id)
        self.recalled.add(sample_id)
