"""The JSON events of the outer topics: versioned pydantic models, one event a record.

Any language may produce and consume them. Unknown fields are kept out and ignored, so a newer
minor version is readable; another `schema_version` is refused with one sentence.
"""

import time
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from siftstream.schemas.errors import SchemaError
from siftstream.schemas.ids import sample_id_of
from siftstream.schemas.judgement import Judgement

SampleId = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Uri = Annotated[str, StringConstraints(min_length=1, max_length=65_536)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
FAR: Final = 1e11  # seconds since the epoch: the year 5138; today's milliseconds are beyond it
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Event(BaseModel):
    """What every event shares: a schema version and JSON bytes in and out."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)
    topic: ClassVar[str]

    schema_version: Literal[1] = 1

    @classmethod
    def decode(cls, value: bytes | None) -> Self:
        """Read one event.

        Raises:
            SchemaError: the bytes are not this event; the message names the first field at fault.
        """
        if value is None:
            raise SchemaError(f"{cls.topic}: an empty record (tombstone) where a {cls.__name__} belongs")
        if value[:1] == b"\0":
            raise SchemaError(
                f"{cls.topic}: schema-registry framing (0x00 and an id) before the JSON;"
                " produce plain JSON without a registry serializer"
            )
        try:
            return cls.model_validate_json(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "record"
            raise SchemaError(f"{cls.topic}: not a {cls.__name__}: {where}: {first['msg']}") from error

    def encode(self) -> bytes:
        """Return the event as compact JSON, absent optional fields left out."""
        return self.model_dump_json(exclude_none=True).encode()

    @property
    def key(self) -> bytes:
        """The record key of this event."""
        raise NotImplementedError


class DataUri(Event):
    """One unlabeled sample, by where its bytes lie.

    >>> event = DataUri.decode(b'{"uri": "file:///data/cat.png"}')
    >>> event.sample_id
    '7869966eea174d88f3f08e328f5fd908'
    >>> DataUri.decode(event.encode()) == event
    True
    """

    topic: ClassVar[str] = "data-uris"

    uri: Uri
    sample_id: SampleId = ""
    event_time: float = Field(default_factory=time.time, description="Seconds since the epoch, UTC.")
    metadata: dict[str, str] = Field(default_factory=dict, max_length=64)

    @field_validator("event_time")
    @classmethod
    def _in_seconds(cls, value: float) -> float:
        if abs(value) > FAR:  # one such sample would move the window's end for good
            raise ValueError(f"{value:g} lies thousands of years away; seconds are wanted, not milliseconds")
        return value

    @model_validator(mode="before")
    @classmethod
    def _name_the_sample(cls, data: Any) -> Any:
        if isinstance(data, dict) and not data.get("sample_id") and isinstance(data.get("uri"), str):
            return {**data, "sample_id": sample_id_of(data["uri"])}
        return data

    @property
    def key(self) -> bytes:
        """The sample id."""
        return self.sample_id.encode()


class Reason(StrEnum):
    """Why a sample was chosen."""

    STRATEGY = "strategy"
    AUDIT = "audit"
    COLD_START = "cold-start"
    QUERY = "query"


class Trigger(StrEnum):
    """What made a round due."""

    COUNT = "count"
    TIME = "time"
    DEMAND = "demand"
    QUERY = "query"


class Selected(Event):
    """One chosen sample: worth a person's time, and how that was decided.

    An empty record (tombstone) under its key recalls it: nobody labelled it in time.

    >>> chosen = Selected(sample_id="a", uri="file:///a.png", partition=0, round=3, round_size=8, rank=0,
    ...     score=0.9, strategy="margin", reason=Reason.STRATEGY, position=417, seed=0)
    >>> Selected.decode(chosen.encode()).reason
    <Reason.STRATEGY: 'strategy'>
    """

    topic: ClassVar[str] = "selected"

    sample_id: SampleId
    uri: Uri
    partition: int = Field(ge=0)
    round: int = Field(ge=0, description="Number of the round in its partition, from 0.")
    round_size: int = Field(ge=1, description="Samples chosen in this round.")
    rank: int = Field(ge=0, description="0 is the most useful of its round.")
    score: float = Field(description="The strategy's score; higher is more useful.")
    strategy: str
    reason: Reason
    inclusion_probability: Probability | None = Field(
        default=None, description="Known chance of having been chosen; only where chosen at random."
    )
    model_version: str | None = None
    model_line: str | None = Field(default=None, description="The line of models that the version is of.")
    prediction: str | None = Field(default=None, description="The class the model would answer.")
    probabilities: dict[str, Probability] = Field(
        default_factory=dict, description="The likeliest classes, at most ten."
    )
    position: int = Field(ge=0, description="Offset in `scores` of the record at which the round was held.")
    seen: int = Field(
        default=0, ge=0, description="Samples of the partition before the round: its exact place."
    )
    event_time: float = Field(
        default=0.0, description="Newest event time of the partition when the round was held, seconds."
    )
    trigger: Trigger = Trigger.COUNT
    query_id: str | None = Field(default=None, description="The query that asked for it, where one did.")
    seed: int
    selected_at: float = Field(default_factory=time.time, description="Seconds since the epoch, UTC.")
    metadata: dict[str, str] = Field(default_factory=dict)

    @property
    def key(self) -> bytes:
        """The sample id."""
        return self.sample_id.encode()


class LabelAction(StrEnum):
    """What an annotator did."""

    LABEL = "label"
    SKIP = "skip"
    RETRACT = "retract"


class Label(Event):
    """One word of one annotator about one sample; a later word of the same annotator replaces it.

    >>> Label(sample_id="a", annotator="ann", label="cat").action
    <LabelAction.LABEL: 'label'>
    >>> Label.decode(b'{"sample_id": "a", "annotator": "ann"}')
    Traceback (most recent call last):
        ...
    siftstream.schemas.errors.SchemaError: labels: not a Label: record: ...action 'label' needs a label
    """

    topic: ClassVar[str] = "labels"

    sample_id: SampleId
    annotator: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    action: LabelAction = LabelAction.LABEL
    label: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None
    uri: Uri | None = Field(default=None, description="Only needed for a sample that was never selected.")
    labelled_at: float = Field(default_factory=time.time, description="Seconds since the epoch, UTC.")
    duration: float | None = Field(default=None, ge=0.0, description="Seconds the annotator took.")

    @model_validator(mode="after")
    def _a_label_says_something(self) -> Self:
        if self.action is LabelAction.LABEL and self.label is None:
            raise ValueError("action 'label' needs a label")
        return self

    @property
    def key(self) -> bytes:
        """The sample id."""
        return self.sample_id.encode()


class Slice(StrEnum):
    """What a resolved label may be used for."""

    TRAIN = "train"
    HOLDOUT = "holdout"
    AUDIT = "audit"


class TrainingLabel(Event):
    """The one resolved label of a sample; `label` is absent when it was skipped or taken back.

    >>> TrainingLabel(sample_id="a", uri="file:///a.png", label="cat").usable
    True
    """

    topic: ClassVar[str] = "labelled"

    sample_id: SampleId
    uri: Uri
    label: str | None = None
    weight: float = Field(default=1.0, ge=0.0)
    slice: Slice = Slice.TRAIN
    inclusion_probability: Probability | None = None
    annotators: tuple[str, ...] = ()
    resolved_at: float = Field(default_factory=time.time, description="Seconds since the epoch, UTC.")

    @property
    def usable(self) -> bool:
        """Whether there is a label to learn from."""
        return self.label is not None

    @property
    def key(self) -> bytes:
        """The sample id."""
        return self.sample_id.encode()


class Artifact(BaseModel):
    """A file by its content: where it lies and the SHA-256 it must have."""

    model_config = ConfigDict(frozen=True)

    uri: Uri
    sha256: Sha256
    size: int = Field(ge=0, description="Bytes.")


class VersionStatus(StrEnum):
    """What became of a trained model."""

    LIVE = "live"
    RETIRED = "retired"  # was live: what is said of it later (a pin) does not put it live again
    CANDIDATE = "candidate"
    REJECTED = "rejected"
    FAILED = "failed"


class ModelInput(BaseModel):
    """One input of an encoder: shape of a sample (null: any size there) and dtype.

    >>> print(ModelInput(shape=(3, None, None), dtype="uint8"))
    uint8 3xanyxany
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    shape: tuple[int | None, ...]
    dtype: str = Field(description="NumPy's name of it, such as uint8 or float32.")

    def __str__(self) -> str:
        return f"{self.dtype} {'x'.join(str(n or 'any') for n in self.shape) or 'scalar'}"

    def reads(self, shape: tuple[int, ...], dtype: str) -> bool:
        """Tell whether samples of this shape and dtype fit."""
        return (
            dtype == self.dtype
            and len(shape) == len(self.shape)
            and all(n in (None, m) for n, m in zip(self.shape, shape, strict=True))
        )


class ModelVersion(Event):
    """One trained model: an encoder and a head by hash, and the verdict on it.

    >>> failed = ModelVersion(line="main", version="v0001", classes=("a", "b"), status=VersionStatus.FAILED,
    ...     reason="out of memory")
    >>> failed.key
    b'main/v0001'
    """

    topic: ClassVar[str] = "models"

    line: str
    version: str
    classes: tuple[str, ...] = Field(min_length=1)
    status: VersionStatus
    reason: str = Field(default="", description="One sentence: why this verdict.")
    killed: bool = Field(
        default=False, description="It failed because it was killed: the same labels may do another time."
    )
    encoder: Artifact | None = None
    head: Artifact | None = None
    inputs: dict[str, ModelInput] = Field(
        default_factory=dict, description="What the encoder reads, by name; empty: not told."
    )
    passes: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="Runs of the encoder a sample, each with dropout masks of its own; 1: no dropout.",
    )
    weights: Artifact | None = Field(
        default=None, description="The encoder's weights for torch, from which the next may start warm."
    )
    lineage: Artifact | None = Field(default=None, description="JSON: labels, settings and code it is of.")
    mode: str = Field(default="", description="full or head; empty for one that was not trained here.")
    upto: tuple[int, ...] = Field(
        default=(), description="Offsets in `labelled`, a partition each, before which it knows all."
    )
    parent: str | None = None
    replaced: str | None = Field(default=None, description="What was live when it went live.")
    trainer: str | None = None
    trained_on: int = Field(default=0, ge=0, description="Labels in the training slice.")
    learned_from: dict[str, int] = Field(
        default_factory=dict, description="Labels of each class in the training slice."
    )
    pool_size: int = Field(default=0, ge=0, description="Usable labels in L, all slices.")
    metrics: dict[str, float] = Field(default_factory=dict)
    judgement: Judgement | None = Field(default=None, description="The table behind the verdict.")
    pinned: bool = Field(default=False, description="Kept for ever: no retention rule deletes its files.")
    held: bool = Field(default=False, description="While it is live, nothing else goes live by itself.")
    collected: bool = Field(default=False, description="Its files are deleted, by the retention rule.")
    seconds: float = Field(default=0.0, ge=0.0, description="Wall time of the training run.")
    created_at: float = Field(default_factory=time.time, description="Seconds since the epoch, UTC.")

    @model_validator(mode="after")
    def _whole_or_failed(self) -> Self:
        if self.status is not VersionStatus.FAILED and (self.encoder is None or self.head is None):
            raise ValueError(f"a {self.status} version needs an encoder and a head")
        return self

    @property
    def key(self) -> bytes:
        """Line and version."""
        return f"{self.line}/{self.version}".encode()
