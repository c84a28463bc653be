"""What select says beside its choices: drift, what a shadow would have chosen, what to score anew."""

import time
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from siftstream.schemas.events import Event, SampleId


class Drift(Event):
    """The stream of one partition is no longer what the live model was trained on.

    >>> Drift(partition=1, seen=4000, position=31, statistic="confidence", detector="adwin",
    ...     model_version="v3", before=0.93, after=0.71).key
    b'1/confidence/4000'
    """

    topic: ClassVar[str] = "drift"

    partition: int = Field(ge=0)
    seen: int = Field(ge=0, description="Samples of the partition before it was found: its exact place.")
    position: int = Field(ge=-1, description="Offset in `scores` of the last record in the window.")
    statistic: str = Field(description="What moved: confidence or embedding.")
    detector: str
    model_version: str = Field(description="The version against whose window the stream is held.")
    before: float = Field(description="The statistic's mean in the window that the version began with.")
    after: float = Field(description="Its mean since the change.")
    detected_at: float = Field(default_factory=time.time, description="Seconds since the epoch, UTC.")

    @property
    def key(self) -> bytes:
        """Partition, statistic and place: the same drift found twice has one key."""
        return f"{self.partition}/{self.statistic}/{self.seen}".encode()


class ShadowRound(Event):
    """What a strategy that only records would have chosen in a round.

    >>> ShadowRound(partition=0, round=3, seen=4000, strategy="badge", sample_ids=("a", "b"), overlap=0.5).key
    b'0/3/badge'
    """

    topic: ClassVar[str] = "shadow-selected"

    partition: int = Field(ge=0)
    round: int = Field(ge=0)
    seen: int = Field(ge=0)
    strategy: str
    sample_ids: tuple[SampleId, ...] = ()
    scores: tuple[float, ...] = ()
    overlap: float = Field(default=0.0, ge=0.0, le=1.0, description="Share of these that were really chosen.")
    refused: str = Field(default="", description="Why it could not choose.")

    @property
    def key(self) -> bytes:
        """Partition, round and strategy."""
        return f"{self.partition}/{self.round}/{self.strategy}".encode()


class Reread(Event):
    """Select asks infer to read a stretch of a partition's features again: a new encoder is live.

    >>> Reread(partition=0, version="v9", encoder="e" * 64, first=100, end=250).key
    b'0/v9'
    """

    topic: ClassVar[str] = "rereads"

    partition: int = Field(ge=0)
    version: Annotated[str, StringConstraints(min_length=1)]
    encoder: Annotated[str, StringConstraints(min_length=1)]
    first: int = Field(ge=0, description="Offset in `features` of the first record to read.")
    end: int = Field(ge=0, description="Offset after the last one.")
    asked_at: float = Field(default_factory=time.time, description="Seconds since the epoch, UTC.")

    @property
    def key(self) -> bytes:
        """Partition and version."""
        return f"{self.partition}/{self.version}".encode()
