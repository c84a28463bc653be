"""What the retrain stage may be told."""

from pydantic import BaseModel, ConfigDict, Field

from siftstream.models.settings import GateSettings, TrainSettings


class RetrainSettings(BaseModel):
    """When to train, how, and what a candidate must not lose."""

    model_config = ConfigDict(extra="forbid")

    min_new_labels: int = Field(
        default=20, ge=1, description="Usable labels that L must have grown by since the last run."
    )
    min_labels: int = Field(default=20, ge=2, description="Training labels needed for the first run.")
    on_drift: bool = Field(
        default=False,
        description="Train as soon as one label is newer than a drift that was told since the last run"
        " (`select.drift`), however few are new.",
    )
    train: TrainSettings = TrainSettings()
    gate: GateSettings = GateSettings()
