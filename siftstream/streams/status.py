"""How a pipeline stands, from outside: lag, members, window, labels, live model, dead letters.

Read through the admin API alone, so it works beside any number of workers, wherever they run. Costs a few
requests a reading, and a small fetch for each partition that is behind: it may be called once a second.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from kafka import KafkaAdminClient, KafkaConsumer
from kafka.errors import KafkaError
from kafka.protocol.consumer import OffsetSpec
from kafka.structs import TopicPartition

from siftstream.schemas import Action, Command, ModelVersion, RunState, TrainingRun
from siftstream.schemas.errors import UnavailableError
from siftstream.schemas.live import live_of
from siftstream.streams.lag import Ages, Ends, Positions, by_topic, positions_of
from siftstream.streams.latest import Latest
from siftstream.streams.runs_on import RunsOn
from siftstream.streams.settings import KafkaSettings, PipelineSettings
from siftstream.streams.topics import TOPICS


@dataclass(frozen=True)
class GroupStatus:
    """One consumer group on one topic."""

    name: str  # fetch, infer, select, consensus, retrain-0, oracle-...
    group: str  # on the cluster
    topic: str  # the design's name
    members: int
    done: int  # records, from the log's beginning as it is now
    lag: int  # records that wait
    lag_seconds: float  # age of the oldest record that waits; 0 where none does
    rows: int | None = None  # samples in the windows (select)
    seen: int | None = None  # distinct samples that ever entered the windows (select)
    runs_on: Mapping[RunsOn, int] = field(default_factory=dict[RunsOn, int])  # partitions by note (infer)


@dataclass(frozen=True)
class Status:
    """A pipeline at one moment."""

    at: float  # seconds since the epoch
    groups: tuple[GroupStatus, ...]
    records: Mapping[str, int]  # by the design's topic; records between first and last offset
    versions: tuple[ModelVersion, ...]  # in the order they were published
    partitions: int = 0
    runs: tuple[TrainingRun, ...] = ()  # the newest granted one of each trainer
    asking: Mapping[str, Command] = field(default_factory=dict[str, Command])  # by line: the last word on it

    @property
    def selected(self) -> int:
        """Samples chosen."""
        return self.records.get("selected", 0)

    @property
    def labelled(self) -> int:
        """Resolved labels written; one that was resolved anew counts again until compaction."""
        return self.records.get("labelled", 0)

    @property
    def dead_letters(self) -> int:
        """Records in dead letters."""
        return self.records.get("dead-letters", 0)

    @property
    def live(self) -> dict[str, ModelVersion]:
        """The live version of each line of models."""
        return live_of(self.versions)

    def group(self, name: str) -> GroupStatus | None:
        """The group of this name, if it was ever there."""
        return next((group for group in self.groups if group.name == name), None)


def read_status(kafka: KafkaSettings, pipeline: PipelineSettings) -> Status:
    """Read it once; `StatusReader` keeps its connections for the next time.

    Raises:
        UnavailableError: the cluster does not answer.
    """
    with StatusReader(kafka, pipeline) as reader:
        return reader.read()


@dataclass
class StatusReader:
    """Reads the status again and again over the same connections; for one thread at a time."""

    kafka: KafkaSettings
    pipeline: PipelineSettings
    _admin: Any = None
    _consumer: Any = None
    _ages: Any = None

    def __post_init__(self) -> None:
        topic = self.pipeline.topic
        self._versions = Latest(ModelVersion, topic(ModelVersion.topic))
        self._training = Latest(TrainingRun, topic(TrainingRun.topic))
        self._commands = Latest(Command, topic(Command.topic))

    def __enter__(self) -> Self:
        """Nothing is opened before the first reading."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections; the next reading opens new ones."""
        for client in (self._admin, self._consumer):
            if client is not None:
                client.close()
        self._admin = self._consumer = None

    def read(self) -> Status:
        """Return the status now.

        Raises:
            UnavailableError: the cluster does not answer.
        """
        try:
            self._open()
            ends = self._ends()
            groups = self._groups(ends)
            versions = self._versions.read(self._consumer, ends.last)
            runs = self._training.read(self._consumer, ends.last)
            commands = self._commands.read(self._consumer, ends.last)
        except KafkaError as error:
            self.close()
            raise UnavailableError(
                f"Kafka at {self.kafka.bootstrap_servers} does not answer: {error}; is it up?"
            ) from error
        records = {
            spec.name: sum(
                ends.last[p] - ends.first[p] for p in ends.last if p.topic == self.pipeline.topic(spec.name)
            )
            for spec in TOPICS
        }
        return Status(
            time.time(), groups, records, versions, self.pipeline.partitions, newest(runs),
            {command.line: command for command in commands if command.action is not Action.TRAIN},
        )  # fmt: skip

    def _open(self) -> None:
        logging.getLogger("kafka.admin._groups").addFilter(_no_decoding)
        if self._admin is None:
            self._admin = KafkaAdminClient(**self.kafka.client_options())
        if self._consumer is None:
            # Only timestamps and small models are read: checksums in Python would be the whole cost.
            self._consumer = KafkaConsumer(
                group_id=None, enable_auto_commit=False, check_crcs=False, auto_offset_reset="earliest",
                max_partition_fetch_bytes=1 << 16, fetch_max_wait_ms=100, **self.kafka.client_options(),
            )  # fmt: skip
            self._ages = Ages(self._consumer)

    def _ends(self) -> Ends:
        ours = {self.pipeline.topic(spec.name) for spec in TOPICS}
        places = [
            TopicPartition(topic["name"], partition["partition_index"])
            for topic in self._admin.describe_topics()
            if topic["name"] in ours
            for partition in topic["partitions"]
        ]
        if not places:
            return Ends({}, {})
        first = self._admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST))
        last = self._admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
        return Ends({p: first[p].offset for p in places}, {p: last[p].offset for p in places})

    def _groups(self, ends: Ends) -> tuple[GroupStatus, ...]:
        prefix = self.pipeline.group("")
        found = [group["group_id"] for group in self._admin.list_groups()]
        names = sorted((g.removeprefix(prefix) for g in found if g.startswith(prefix)), key=_rank)
        if not names:
            return ()
        ids = {name: prefix + name for name in names}
        offsets = self._admin.list_group_offsets(list(ids.values()))
        described = self._admin.describe_groups(list(ids.values()))
        positions = {name: positions_of(name, offsets[ids[name]], self.pipeline, ends) for name in names}
        ages = self._ages.read(positions.values(), ends)
        return tuple(
            _group_status(name, topic, described[ids[name]], ends, part, ages)
            for name in names
            for topic, part in by_topic(positions[name], self.pipeline).items()
        )


def newest(runs: Iterable[TrainingRun]) -> tuple[TrainingRun, ...]:
    """Return the newest run of each trainer of a line; a mere claim, which may not be granted, is none yet.

    >>> facts = {"line": "main", "trainer": "r-0"}
    >>> runs = [TrainingRun(version="1", state="done", **facts), TrainingRun(version="2", **facts)]
    >>> [run.version for run in newest(runs)]
    ['1']
    """
    last: dict[tuple[str, str], TrainingRun] = {}
    for run in runs:
        name = run.line, run.trainer
        if run.state is not RunState.CLAIMED and (
            name not in last or run.claimed_at >= last[name].claimed_at
        ):
            last[name] = run
    return tuple(last[name] for name in sorted(last))


def _group_status(
    name: str, topic: str, described: Mapping[str, Any], ends: Ends, positions: Positions,
    ages: Mapping[tuple[TopicPartition, int], float],
) -> GroupStatus:  # fmt: skip
    waiting = [ages[place, at.next] for place, at in positions.items() if (place, at.next) in ages]
    return GroupStatus(
        name, str(described["group_id"]), topic,
        members=len(described.get("members") or ()),
        done=sum(at.next - ends.first[p] for p, at in positions.items()),
        lag=sum(max(0, ends.last[p] - at.next) for p, at in positions.items()),
        lag_seconds=max(0.0, time.time() - min(waiting)) if waiting else 0.0,
        rows=_sum(at.rows for at in positions.values()),
        seen=_sum(at.seen for at in positions.values()),
        runs_on=Counter(at.runs_on for at in positions.values() if at.runs_on is not None),
    )  # fmt: skip


def _no_decoding(record: logging.LogRecord) -> bool:
    """Leave out what kafka-python says at each reading of the metadata that Faust gives its groups."""
    return not str(record.msg).startswith("Unable to decode member_")


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _rank(name: str) -> tuple[int, str]:
    """Stages in the order a sample passes them, then the others."""
    order = ["fetch", "infer", "select", "consensus", "retrain"]
    stage = name.split("-")[0]
    return (order.index(stage) if stage in order else len(order), name)
