"""The simulated annotator: an ordinary consumer of `selected` and producer of `labels`."""

import csv
import heapq
import random
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from kafka import KafkaConsumer, KafkaProducer

from siftstream.connectors.settings import OracleSettings
from siftstream.schemas import Label, LabelAction, Selected
from siftstream.schemas.errors import ConfigError, SchemaError
from siftstream.streams.settings import KafkaSettings, PipelineSettings

Truth = Callable[[Selected], str | None]


class Oracle:
    """Answers each selection once, after a delay; what it does not know it skips.

    Deterministic by seed and sample id: the same sample gets the same answer after the same delay.
    """

    def __init__(self, settings: OracleSettings, classes: Sequence[str]) -> None:
        """Raises: ConfigError: the truth file cannot be read."""
        self._settings = settings
        self._classes = tuple(classes)
        self._truth = truth_of(settings.truth)
        self._order = count()

    def answer(self, chosen: Selected) -> tuple[float, Label]:
        """Return the seconds it takes and the label it gives."""
        rng = random.Random(f"{self._settings.seed}/{chosen.sample_id}")
        seconds = self._settings.delay * (1 + self._settings.spread * rng.uniform(-1, 1))
        truth = self._truth(chosen)
        if truth not in self._classes:
            skip = Label(
                sample_id=chosen.sample_id, annotator=self._settings.annotator, action=LabelAction.SKIP
            )
            return seconds, skip
        if rng.random() < self._settings.error_rate and len(self._classes) > 1:
            truth = rng.choice([name for name in self._classes if name != truth])
        return seconds, Label(
            sample_id=chosen.sample_id, annotator=self._settings.annotator, label=truth, duration=seconds
        )

    def run(self, kafka: KafkaSettings, pipeline: PipelineSettings, running: Callable[[], bool]) -> None:
        """Answer until `running()` is false; a selection is committed only when its label is acknowledged."""
        group = pipeline.group(f"oracle-{self._settings.annotator}")
        consumer = KafkaConsumer(
            pipeline.topic(Selected.topic), group_id=group, auto_offset_reset="earliest",
            enable_auto_commit=False, **kafka.client_options(),
        )  # fmt: skip
        producer = KafkaProducer(acks="all", linger_ms=5, **kafka.client_options())
        waiting: list[tuple[float, int, Label]] = []
        answered: set[str] = set()
        try:
            while running():
                for records in consumer.poll(timeout_ms=50).values():
                    for record in records:
                        self._note(record.key, record.value, waiting, answered)
                self._send_due(producer, pipeline, waiting)
                if not waiting:
                    consumer.commit()
        finally:
            producer.close()
            consumer.close()

    def _note(self, key: bytes | None, value: bytes | None, waiting: list[Any], answered: set[str]) -> None:
        if value is None:
            self._recall((key or b"").decode(), waiting, answered)
            return
        try:
            chosen = Selected.decode(value)
        except SchemaError:
            return  # nothing to answer
        if chosen.sample_id not in answered:
            answered.add(chosen.sample_id)
            if self._ignores(chosen):
                return
            seconds, label = self.answer(chosen)
            heapq.heappush(waiting, (time.time() + seconds, next(self._order), label))

    def _recall(self, sample_id: str, waiting: list[Any], answered: set[str]) -> None:
        """Drop a task that was taken back; it may come again."""
        answered.discard(sample_id)
        waiting[:] = [task for task in waiting if task[2].sample_id != sample_id]
        heapq.heapify(waiting)

    def _ignores(self, chosen: Selected) -> bool:
        rng = random.Random(f"{self._settings.seed}/{chosen.sample_id}/ignored")
        return rng.random() < self._settings.ignore_rate

    def _send_due(self, producer: Any, pipeline: PipelineSettings, waiting: list[Any]) -> None:
        sent = []
        while waiting and waiting[0][0] <= time.time():
            _, _, label = heapq.heappop(waiting)
            stamped = label.model_copy(update={"labelled_at": time.time()})
            sent.append(producer.send(pipeline.topic(Label.topic), stamped.encode(), key=stamped.key))
        for future in sent:
            future.get(timeout=30)


def truth_of(source: str) -> Truth:
    """Return the function that knows the truth.

    Raises:
        ConfigError: the CSV file cannot be read or lacks its columns.
    """
    if source == "folder":
        return lambda chosen: Path(unquote(urlsplit(chosen.uri).path)).parent.name
    if source == "metadata":
        return lambda chosen: chosen.metadata.get("label")
    try:
        with Path(source).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise ConfigError(
            f"oracle.truth: {source} cannot be read: {error.strerror}; give folder, metadata or a CSV"
        ) from error
    known = {row.get("sample_id") or row.get("uri"): row.get("label") for row in rows}
    if None in known or None in known.values():
        raise ConfigError(f"oracle.truth: {source} needs the columns uri or sample_id, and label")
    return lambda chosen: known.get(chosen.sample_id, known.get(chosen.uri))
