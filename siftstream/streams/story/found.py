"""What the log holds of one sample, record by record, free of Kafka."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from siftstream.schemas import DataUri, Label, ModelVersion, Query, Selected, TrainingLabel


@dataclass(frozen=True)
class Fetched:
    """The sample's row of a features micro-batch."""

    uri: str
    inputs: str  # names, dtypes and shapes
    content: str  # sha256 of the bytes it was made of, hex


@dataclass(frozen=True)
class Scored:
    """The sample's row of a scores or shadow micro-batch."""

    uri: str
    version: str
    line: str
    probabilities: Mapping[str, float]  # mean of the members, the likeliest first
    members: int
    source: int  # offset in `features`; -1: not told
    again: bool


@dataclass(frozen=True)
class ShadowChoice:
    """The sample's place in what a strategy that only records would have chosen."""

    strategy: str
    round: int
    rank: int
    size: int
    score: float | None


@dataclass(frozen=True)
class Refused:
    """A dead letter of the sample, as its headers tell it."""

    stage: str
    error: str
    message: str
    place: str  # topic partition@offset that it came from
    attempts: str


@dataclass(frozen=True)
class Recalled:
    """An empty record under the sample's key in `selected`."""


What: TypeAlias = (
    DataUri | Fetched | Scored | Selected | Recalled | ShadowChoice | Label | TrainingLabel | Refused | Query
    | ModelVersion
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """One record that tells of the sample."""

    topic: str  # the design's name
    partition: int
    offset: int
    at: float  # the record's timestamp, seconds since the epoch
    what: What
    note: str = ""  # what the headers add


@dataclass(frozen=True)
class Looked:
    """How far the records of a topic were looked at."""

    first: int  # the log's first offset in the sample's partition: what came before is deleted
    since: float | None = None  # only records from this moment on, seconds since the epoch
