"""How infer joins micro-batches into device batches, and how many of them run at once."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class BatchSettings(BaseModel):
    """The device batch: full under load, small and soon when the stream is thin."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min: int = Field(
        default=32, ge=1, description="Samples worth a run at once; fewer wait for more, up to `max_wait`."
    )
    max: int = Field(default=128, ge=1, description="Most samples in one run.")
    max_wait: float = Field(
        default=0.005, ge=0, description="Seconds that a sample waits for others at most while a run is free."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            raise ValueError("min is larger than max")
        return self


class InferSettings(BaseModel):
    """The infer stage: device batches, and runs at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    runs: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Device batches run at once, each with `model.threads` threads; 0: as many as this"
        " process may use cores on a CPU, 2 on a GPU.",
    )
    batch: BatchSettings = BatchSettings()
