"""Where consumer groups stand, and how old what waits for them is."""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kafka.structs import TopicPartition

from siftstream.streams.runs_on import RunsOn
from siftstream.streams.settings import PipelineSettings
from siftstream.streams.topics import TOPICS

SOURCES = {
    "fetch": "data-uris", "infer": "features", "select": "scores", "consensus": "labels",
    "retrain": "labelled", "oracle": "selected",
}  # fmt: skip
"""What a group reads by its name up to the first hyphen; of others it is known once they have committed."""

AGE_WITHIN_S = 0.5
LOOKED_AT = 64  # partitions whose oldest unread record is looked at in one reading: those furthest behind


@dataclass(frozen=True)
class Ends:
    """First and last offset of every partition of the pipeline's topics."""

    first: Mapping[TopicPartition, int]
    last: Mapping[TopicPartition, int]


@dataclass(frozen=True)
class Position:
    """Where a group stands in a partition."""

    next: int  # the first offset it has not handled
    rows: int | None = None
    seen: int | None = None
    runs_on: RunsOn | None = None


Positions = dict[TopicPartition, Position]


def positions_of(
    name: str, committed: Mapping[Any, Any], pipeline: PipelineSettings, ends: Ends
) -> Positions:
    """Return where a group stands; a stage without a commit stands at the beginning of its source."""
    found = {
        place: position_of(commit.offset, commit.metadata or "", ends.first[place])
        for place, commit in committed.items()
        if place in ends.last
    }
    source = SOURCES.get(name.split("-")[0])
    if source is None:
        return found
    topic = pipeline.topic(source)
    start = {p: Position(first) for p, first in ends.first.items() if p.topic == topic}
    return start | {place: position for place, position in found.items() if place.topic == topic}


def position_of(offset: int, metadata: str, first: int) -> Position:
    """Read a commit; a stage that commits a window's floor says in the metadata how far it really is.

    Infer says there what its model runs on.

    >>> position_of(4, '{"seen":10,"done":0,"head":6,"rows":5,"total":17}', 0)
    Position(next=7, rows=5, seen=17, runs_on=None)
    >>> position_of(-1, "", 3)
    Position(next=3, rows=None, seen=None, runs_on=None)
    """
    try:
        memory = json.loads(metadata) if metadata.startswith("{") else {}
        head, rows, seen = int(memory["head"]), int(memory["rows"]), int(memory["total"])
    except (ValueError, KeyError, TypeError):
        return Position(max(offset, first), runs_on=RunsOn.decode(metadata))
    return Position(max(head + 1, offset, first), rows, seen)


def by_topic(positions: Positions, pipeline: PipelineSettings) -> dict[str, Positions]:
    """Part positions by the design's topics."""
    names = {pipeline.topic(spec.name): spec.name for spec in TOPICS}
    topics: dict[str, Positions] = {}
    for place, position in positions.items():
        topics.setdefault(names[place.topic], {})[place] = position
    return topics


class Ages:
    """Remembers the timestamps of the records at which groups stand."""

    def __init__(self, consumer: Any) -> None:
        """Args: a kafka-python consumer without a group, which nobody else uses meanwhile."""
        self._consumer = consumer
        self._known: dict[tuple[TopicPartition, int], float] = {}

    def read(self, positions: Iterable[Positions], ends: Ends) -> Mapping[tuple[TopicPartition, int], float]:
        """Return the timestamp (seconds since the epoch) of the record at each position that is behind."""
        behind = sorted(
            {
                (ends.last[place] - at.next, place, at.next)
                for group in positions
                for place, at in group.items()
                if at.next < ends.last[place]
            }
        )
        wanted = [(place, offset) for _, place, offset in behind[-LOOKED_AT:]]
        self._known = {at: self._known[at] for at in wanted if at in self._known}
        deadline = time.monotonic() + AGE_WITHIN_S
        missing = [at for at in wanted if at not in self._known]
        while missing and time.monotonic() < deadline:
            offsets = dict(missing)  # one a partition; another group's offset in it comes next
            self._known |= self._fetch(offsets, deadline)
            missing = [(place, offset) for place, offset in missing if offsets[place] != offset]
        return self._known

    def _fetch(
        self, offsets: Mapping[TopicPartition, int], deadline: float
    ) -> dict[tuple[TopicPartition, int], float]:
        self._consumer.assign(list(offsets))
        for place, offset in offsets.items():
            self._consumer.seek(place, offset)
        self._consumer.resume(*offsets)  # an equal assignment keeps its pauses
        found: dict[tuple[TopicPartition, int], float] = {}
        while len(found) < len(offsets) and time.monotonic() < deadline:
            for place, records in self._consumer.poll(timeout_ms=100).items():
                found[place, offsets[place]] = records[0].timestamp / 1000
                self._consumer.pause(place)
        return found
