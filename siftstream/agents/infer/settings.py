"""How infer joins micro-batches into device batches, how many run at once, and which lines of models run."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class BatchSettings(BaseModel):
    """The device batch: full under load, small and soon when the stream is thin."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min: int = Field(
        default=32, ge=1, description="Samples worth a run at once; fewer wait for more, up to `max_wait`."
    )
    max: int = Field(default=128, ge=1, description="Most samples in one run.")
    max_wait: float = Field(
        default=0.005,
        ge=0,
        description="Seconds that a sample waits for others at most while a run is free and another is busy.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            raise ValueError("min is larger than max")
        return self


class LineSettings(BaseModel):
    """One more line of models on the same features."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    line: str = Field(
        min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._-]+$", description="Name of the line of models."
    )
    mode: Literal["canary", "shadow"] = Field(
        description="'canary' scores its share instead of the pipeline's own line; 'shadow' scores it too,"
        " and is only recorded."
    )
    share: float = Field(default=1.0, gt=0, le=1, description="Share of the samples, by hash of their ids.")


class InferSettings(BaseModel):
    """The infer stage: device batches, runs at once, and lines of models beside the pipeline's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    runs: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Device batches run at once, each with `model.threads` threads; 0: on a CPU as many"
        " as fit the cores that this process may use, 2 on a GPU.",
    )
    batch: BatchSettings = BatchSettings()
    lines: tuple[LineSettings, ...] = Field(
        default=(),
        description="More lines of models on the same features, such as"
        " {line: challenger, mode: canary, share: 0.1} or {line: next, mode: shadow, share: 1.0};"
        " canaries' shares may not sum to more than 1.",
    )

    @model_validator(mode="after")
    def _lines_fit_together(self) -> Self:
        names = [line.line for line in self.lines]
        if len(set(names)) != len(names):
            raise ValueError("lines: a line stands there twice; give each its own entry once")
        total = sum(line.share for line in self.lines if line.mode == "canary")
        if total > 1 + 1e-9:  # ten shares of 0.1 sum to a little more than 1
            raise ValueError(f"lines: the canaries' shares sum to {total:g}; at most 1 can be given away")
        return self
