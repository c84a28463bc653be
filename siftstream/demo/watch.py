"""Watching the pipeline from outside, as any consumer could: its status, what it chose, each live version."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from siftstream.demo.board import Board
from siftstream.demo.digits import read_images
from siftstream.demo.result import Choice, Point
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.loaded import LoadedModel
from siftstream.schemas import ModelVersion, Selected, VersionStatus
from siftstream.settings import Settings
from siftstream.streams.status import Status, StatusReader


class Watcher:
    """Reads the pipeline into a board; for one thread at a time."""

    def __init__(
        self, settings: Settings, board: Board, holdout: tuple[Path, ...], broker_began: float
    ) -> None:
        """Args: the pipeline; where to write; the held-out images; when the broker's start began (epoch)."""
        self._settings = settings
        self._board = board
        self._broker_began = broker_began
        self._images, self._truth = read_images(holdout)
        self._store = ArtifactStore.open(settings.model.artifacts)
        self._reader = StatusReader(settings.kafka, settings.pipeline)
        self._selected = self._selected_consumer()
        self._judged: set[str] = set()
        self.first_push = 0.0  # epoch

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()
        self._selected.close()

    def look(self, memory: dict[str, float]) -> Status:
        """Read everything once.

        Raises:
            UnavailableError: Kafka is away.
        """
        status = self._reader.read()
        self._board.note_status(status, memory)
        self._read_selected()
        for version in status.versions:
            if version.status is VersionStatus.LIVE and version.version not in self._judged:
                self._judged.add(version.version)
                self._board.result.points.append(self._judge(version))
        return status

    def _selected_consumer(self) -> Any:
        options = self._settings.kafka.client_options()
        consumer = KafkaConsumer(group_id=None, auto_offset_reset="earliest", **options)
        topic = self._settings.pipeline.topic(Selected.topic)
        consumer.assign([TopicPartition(topic, p) for p in range(self._settings.pipeline.partitions)])
        return consumer

    def _read_selected(self) -> None:
        result = self._board.result
        for records in self._selected.poll(timeout_ms=50).values():
            for record in records:
                chosen = Selected.decode(record.value)
                result.choices.append(Choice(selected=chosen, truth=chosen.uri.split("/")[-2]))
                since = record.timestamp / 1000 - self._broker_began
                result.first_selected = min(since, result.first_selected or since)

    def _judge(self, version: ModelVersion) -> Point:
        model = LoadedModel.load(version, self._store, self._settings.model, classes=self._settings.classes)
        probs_BMC, _ = model.predict(self._images)
        accuracy = float((probs_BMC.mean(axis=1).argmax(axis=1) == self._truth).mean())
        return Point(
            version=version.version, labels=version.pool_size, accuracy=accuracy,
            seconds=version.created_at - self.first_push, training=version.seconds,
        )  # fmt: skip
