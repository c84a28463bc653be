"""What the consensus stage may be told."""

from pydantic import BaseModel, ConfigDict, Field


class ConsensusSettings(BaseModel):
    """How labels become training labels."""

    model_config = ConfigDict(extra="forbid")

    holdout: float = Field(
        default=0.1, ge=0.0, lt=1.0,
        description="Share of labelled samples, by hash of the id, that judges models and never trains them.",
    )  # fmt: skip
