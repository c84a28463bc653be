"""What the retrain stage may be told."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from siftstream.models.judging.settings import GateSettings
from siftstream.models.training.settings import TrainSettings


class KeepSettings(BaseModel):
    """Which versions' files are kept; live, parent of live and pinned ones always are."""

    model_config = ConfigDict(extra="forbid")

    versions: int | None = Field(
        default=50, ge=1, description="The newest so many of the line; none: all, for ever."
    )
    days: float = Field(
        default=1.0, gt=0, description="Nothing younger is deleted, nor files that no version names yet."
    )


class StopSettings(BaseModel):
    """When enough is enough: asking pauses, until drift or a person resumes it."""

    model_config = ConfigDict(extra="forbid")

    rules: tuple[str | Mapping[str, Any], ...] = Field(
        default=(),
        description="Stopping rules (`siftstream strategies` lists them), names or mappings of `name` and"
        " parameters; the first that says so pauses asking. Empty: never.",
    )
    resume_on_drift: bool = Field(default=True, description="Ask again when drift is told.")


class CacheSettings(BaseModel):
    """What trainers keep on the disk of their machine, beside the objects that fetch keeps."""

    model_config = ConfigDict(extra="forbid")

    embeddings: int = Field(
        default=8 << 30,
        ge=0,
        description="Bytes of known embeddings at most, by which heads are trained without reading a sample;"
        " the encoder used longest ago goes first. 0 keeps none.",
    )
    samples: int = Field(
        default=8 << 30,
        ge=0,
        description="Bytes of samples at most, as the transform made them, by which they are not decoded in"
        " each run; the one used longest ago goes first. 0 keeps none.",
    )


class RetrainSettings(BaseModel):
    """When to train, how, and what a candidate must not lose."""

    model_config = ConfigDict(extra="forbid")

    min_new_labels: int = Field(
        default=20, ge=1, description="Labels of L that must be new or changed since the last run began."
    )
    min_labels: int = Field(default=20, ge=2, description="Training labels needed for the first run.")
    every: float | None = Field(
        default=None, gt=0, description="Train at least every so many seconds, where any label changed."
    )
    on_drift: bool = Field(
        default=False,
        description="Train as soon as one label is newer than a drift that was told since the last run"
        " (`select.drift`), however few are new.",
    )
    supersede_after: int | None = Field(
        default=None,
        ge=1,
        description="New or changed labels after which a run under way is stopped and begun again with them;"
        " none: every run is finished.",
    )
    lease: float = Field(
        default=30.0,
        gt=0,
        description="Seconds without a word from a trainer after which its run counts as given up.",
    )
    stop: StopSettings = StopSettings()
    keep: KeepSettings = KeepSettings()
    cache: CacheSettings = CacheSettings()
    train: TrainSettings = TrainSettings()
    gate: GateSettings = GateSettings()
