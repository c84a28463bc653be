"""An agent's stream without Kafka: the queue that the consumer fills, and what the app says of the flow."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from mode.utils.queues import FlowControlEvent, ThrowableQueue

NOW = 2  # the generation of the group


@dataclass
class Channel:
    """What the consumer puts events into."""

    queue: ThrowableQueue[Any]
    stopped: bool = False

    def on_stop_iteration(self) -> None:
        self.stopped = True


@dataclass
class QueueApp:
    """What is asked of a stage's app while its events are taken."""

    tracked: list[int] = field(default_factory=list[int])
    consumer_generation_id: int = NOW
    flow_control: FlowControlEvent = field(default_factory=FlowControlEvent)
    topics: Any = field(default_factory=lambda: SimpleNamespace(acking_topics={"t"}))

    def __post_init__(self) -> None:
        self.flow_control.resume()

    @property
    def consumer(self) -> Any:
        return self

    def track_message(self, message: Any) -> None:
        self.tracked.append(message.offset)

    def channel(self) -> Channel:
        """Return an empty channel of this app."""
        return Channel(ThrowableQueue(maxsize=1000, flow_control=self.flow_control, clear_on_resume=True))


def event(offset: int, generation: int = NOW) -> Any:
    """Return an event as Faust makes it."""
    return SimpleNamespace(
        message=SimpleNamespace(
            topic="t", partition=0, offset=offset, key=None, value=b"%d" % offset, headers=(),
            timestamp=0.0, generation_id=generation, tracked=False,
        )
    )  # fmt: skip
