"""What the budget may be told."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class BudgetSettings(BaseModel):
    """How many labels may be asked for; all limits hold at once, over all partitions together."""

    model_config = ConfigDict(extra="forbid")

    per_round: int = Field(
        default=20, ge=1, le=1_000, description="Samples chosen a round and partition, audit included."
    )
    fraction: float | None = Field(
        default=None, gt=0.0, le=1.0, description="Share of the stream that may be chosen; none: no limit."
    )
    per_hour: int | None = Field(
        default=None,
        ge=1,
        description="Samples chosen an hour (a token bucket that holds one hour's tokens); none: no limit.",
    )
    per_day: int | None = Field(
        default=None,
        ge=1,
        description="Samples chosen a day (a token bucket that holds one day's tokens); none: no limit.",
    )
    clock: Literal["event", "processing"] = Field(
        default="processing",
        description="Whose hours and days: 'processing' time, as annotators work, or 'event' time of the"
        " samples, so that the same log gives the same choices.",
    )
    total: int | None = Field(
        default=None, ge=0, description="Samples chosen in all, over all partitions; none: no limit."
    )
    per_class: dict[str, int] = Field(
        default_factory=dict,
        description="Most samples chosen of a predicted class, by name; '*' is each class not named."
        " The audit slice stays outside: it is of the whole stream.",
    )
    per_metadata: dict[str, dict[str, int]] = Field(
        default_factory=dict,
        description="Most samples chosen by a key of their metadata: {camera: {door: 50, '*': 10}}; '*'"
        " is each value not named. The audit slice stays outside.",
    )
    reshare_after: float = Field(
        default=30.0,
        ge=0,
        description="Seconds without a sample after which a partition gives what it does not use to those"
        " that want it; 0: never.",
    )
