"""Simulated annotators: each takes a task, answers after a set time, and asks for the next."""

import heapq
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition

from benchmarks.timeline.stream import CLASSES
from siftstream.schemas import Label, ModelVersion, Selected
from siftstream.settings import Settings

POLL_MS: Final = 2  # how finely their time is measured


@dataclass
class Story:
    """What happened, in seconds: each task's wait, each answer, each version."""

    waits: list[float] = field(default_factory=list[float])
    handed: list[float] = field(default_factory=list[float])  # when each of them was
    answers: list[float] = field(default_factory=list[float])
    versions: list[float] = field(default_factory=list[float])


class Annotators:
    """Everything they see goes through Kafka: tasks from `selected`, answers into `labels`."""

    def __init__(self, settings: Settings, count: int, seconds: float) -> None:
        """Args: the pipeline; how many people; the time of an answer."""
        self._seconds, self._labels = seconds, settings.pipeline.topic(Label.topic)
        self._models = settings.pipeline.topic(ModelVersion.topic)
        options: dict[str, Any] = settings.kafka.client_options()
        self._consumer: Any = KafkaConsumer(
            enable_auto_commit=False, check_crcs=False, fetch_max_wait_ms=5, **options
        )
        self._producer = KafkaProducer(acks=1, linger_ms=0, **options)
        tasks = settings.pipeline.topic(Selected.topic)
        places = [TopicPartition(tasks, p) for p in range(settings.pipeline.partitions)]
        places.append(TopicPartition(self._models, 0))
        self._consumer.assign(places)
        self._consumer.seek_to_beginning(*places)
        self._tasks: deque[str] = deque()
        self._asked = [(time.monotonic(), person) for person in range(count)]  # who waits, and since when
        self._busy: list[tuple[float, int, str]] = []
        self.story = Story()

    def answer(self, tasks: int, within: float) -> Story:
        """Answer so many tasks, or as many as there are time for; return what happened."""
        until = time.monotonic() + within
        while len(self.story.answers) < tasks and time.monotonic() < until:
            self._listen()
            self._finish()
            self._hand_out()
        return self.story

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()
        self._producer.close()

    def _listen(self) -> None:
        for place, found in self._consumer.poll(timeout_ms=POLL_MS).items():
            now = time.monotonic()
            for record in found:
                if place.topic == self._models:
                    self.story.versions.append(now)
                elif record.value is not None:
                    self._tasks.append(record.key.decode())

    def _hand_out(self) -> None:
        now = time.monotonic()
        while self._tasks and self._asked:
            since, person = heapq.heappop(self._asked)
            self.story.waits.append(now - since)
            self.story.handed.append(now)
            heapq.heappush(self._busy, (now + self._seconds, person, self._tasks.popleft()))

    def _finish(self) -> None:
        now = time.monotonic()
        while self._busy and self._busy[0][0] <= now:
            _, person, name = heapq.heappop(self._busy)
            label = Label(sample_id=name, annotator=f"person-{person}", label=CLASSES[hash(name) % 4])
            self._producer.send(self._labels, label.encode(), key=label.key)
            self.story.answers.append(now)
            heapq.heappush(self._asked, (now, person))
