"""Asking from outside: a query, and what each partition can offer for it."""

import time
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, StringConstraints, model_validator

from siftstream.schemas.events import Event, SampleId

QueryId = Annotated[str, StringConstraints(min_length=1, max_length=128)]
MOST = 100_000  # samples a query may ask for: what a partition offers is one record
MOST_AMONG = 10_000  # samples a query may be restricted to: it is one record


class Query(Event):
    """A request from outside: choose this many now, over all partitions.

    >>> Query(query_id="q1", budget=100).key
    b'q1'
    """

    topic: ClassVar[str] = "queries"

    query_id: QueryId
    budget: int = Field(ge=1, le=MOST)
    strategy: str | None = Field(default=None, description="Name of a strategy; none: the configured one.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="The strategy's own parameters.")
    among: tuple[SampleId, ...] = Field(
        default=(), max_length=MOST_AMONG, description="Choose only among these; empty: among all."
    )
    after: dict[int, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict,
        description="Per partition the offset in `scores` that it must have read before it offers: who asks"
        " has seen it there.",
    )
    asked_at: float = Field(default_factory=time.time, description="Seconds since the epoch, UTC.")
    timeout: float = Field(
        default=60.0, gt=0, description="Seconds after which nobody waits for it any more."
    )

    @property
    def key(self) -> bytes:
        """The query id."""
        return self.query_id.encode()


class Offer(Event):
    """The best that one partition has for a query; its owner keeps these samples for it until it is decided.

    >>> Offer(query_id="q1", partition=0, free=2, seen=40, position=7, keys=(5, 9), scores=(0.9, 0.4),
    ...     strategy="margin", comparable=True).key
    b'q1/0'
    """

    topic: ClassVar[str] = "offers"

    query_id: QueryId
    partition: int = Field(ge=0)
    free: int = Field(ge=0, description="Samples that could be chosen there.")
    seen: int = Field(ge=0, description="Samples of the partition before the offer: its exact place.")
    position: int = Field(ge=-1, description="Offset in `scores` of the last record in the window.")
    keys: tuple[int, ...] = Field(default=(), description="Hashes of the offered ids, best first.")
    scores: tuple[float, ...] = Field(default=(), description="The strategy's scores, as many.")
    strategy: str = ""
    comparable: bool = Field(
        default=False,
        description="Whether scores of other partitions mean the same: each is of a sample alone.",
    )
    refused: str = Field(default="", description="Why there is no offer; the query is then void.")

    @model_validator(mode="after")
    def _a_score_each(self) -> Self:
        if len(self.keys) != len(self.scores):
            raise ValueError(f"{len(self.keys)} keys and {len(self.scores)} scores")
        return self

    @property
    def key(self) -> bytes:
        """Query and partition."""
        return f"{self.query_id}/{self.partition}".encode()
