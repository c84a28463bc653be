"""What the connectors may be told."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class OracleSettings(BaseModel):
    """The simulated annotator: it knows the truth and takes its time."""

    model_config = ConfigDict(extra="forbid")

    truth: Literal["folder", "metadata"] | str = Field(
        default="folder",
        description="Where the truth is: 'folder' (name of the URI's folder), 'metadata' (its key `label`),"
        " or the path of a CSV file with the columns uri or sample_id, and label.",
    )
    delay: float = Field(default=1.0, ge=0, description="Seconds an answer takes on average.")
    spread: float = Field(
        default=0.5, ge=0, le=1, description="How far single answers lie from the average, as a share."
    )
    error_rate: float = Field(
        default=0.0, ge=0, le=1, description="Share of answers that name a wrong class."
    )
    ignore_rate: float = Field(
        default=0.0, ge=0, le=1, description="Share of samples that it never answers: they may be recalled."
    )
    annotator: str = Field(default="oracle", description="Name under which it answers.")
    seed: int = Field(default=0, description="Seed of delays and errors.")
