"""What is known of a running demo: written by those who watch it, read by the view."""

import time
from collections import deque
from dataclasses import dataclass, field

from siftstream.demo.result import Result, StageFigures
from siftstream.streams.status import Status

RATE_OVER_S = 4.0

STAGES = {
    "fetch": "images loaded",
    "infer": "micro-batches scored",
    "select": "images weighed",
    "oracle": "answers",
    "consensus": "labels resolved",
    "retrain": "labels learned from",
}
"""The processes of the demo, and what is counted of each."""


@dataclass
class Meter:
    """A count over time."""

    seen: deque[tuple[float, int]] = field(default_factory=deque[tuple[float, int]])

    def note(self, at: float, count: int) -> float:
        """Note a count; return how many a second there were lately.

        >>> meter = Meter()
        >>> [meter.note(at, count) for at, count in ((0.0, 0), (1.0, 20), (2.0, 60))]
        [0.0, 20.0, 30.0]
        """
        self.seen.append((at, count))
        while len(self.seen) > 2 and at - self.seen[0][0] > RATE_OVER_S:
            self.seen.popleft()
        then, before = self.seen[0]
        return (count - before) / (at - then) if at > then else 0.0


@dataclass
class StageNow:
    """One process now."""

    done: int = 0
    rate: float = 0.0
    lag: int = 0
    memory: float = 0.0  # MiB
    members: int = 0
    meter: Meter = field(default_factory=Meter)


@dataclass
class Board:
    """The run so far."""

    result: Result
    stages: dict[str, StageNow] = field(default_factory=lambda: {name: StageNow() for name in STAGES})
    rows: int = 0
    selected: int = 0
    began: float = field(default_factory=time.monotonic)
    notes: deque[str] = field(default_factory=lambda: deque[str](maxlen=3))

    @property
    def unlearned(self) -> int:
        """Samples chosen that no live model has learned from yet."""
        return self.selected - max((point.labels for point in self.result.points), default=0)

    def note_status(self, status: Status, memory: dict[str, float]) -> None:
        """Take over a reading."""
        self.selected, self.result.labelled = status.selected, status.labelled
        groups = {group.name.split("-")[0]: group for group in status.groups}
        for name, now in self.stages.items():
            group = groups.get(name)
            if group is None:
                continue
            now.done = group.done if group.seen is None else group.seen
            now.rate = now.meter.note(status.at, now.done)
            now.lag, now.members = group.lag, group.members
            now.memory = memory.get(name, now.memory)
            self.rows = group.rows or self.rows
        self._keep_highest()

    def _keep_highest(self) -> None:
        before = {figures.name: figures for figures in self.result.stages}
        self.result.stages = [
            StageFigures(
                name=name, what=STAGES[name], done=now.done,
                rate=max(now.rate, before[name].rate if name in before else 0.0),
                lag=max(now.lag, before[name].lag if name in before else 0),
                memory=max(now.memory, before[name].memory if name in before else 0.0),
            )
            for name, now in self.stages.items()
        ]  # fmt: skip
