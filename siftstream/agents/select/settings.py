"""What the select stage may be told: window, trigger, budget, strategy, audit, recall, drift."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from siftstream.agents.select.budget.settings import BudgetSettings
from siftstream.agents.select.drift.settings import DriftSettings

_STRICT = ConfigDict(extra="forbid")
Clock = Literal["event", "processing"]


class WindowSettings(BaseModel):
    """The sliding window of one partition; both limits hold."""

    model_config = _STRICT

    size: int = Field(
        default=10_000, ge=1, le=10_000_000, description="Samples kept a partition: the last ones seen."
    )
    seconds: float | None = Field(
        default=None,
        gt=0,
        description="Seconds of event time kept, back from the partition's newest sample; none: no limit."
        " Samples that come later than that are counted and left out.",
    )


class TriggerSettings(BaseModel):
    """When a round is held; each that is set does so by itself. See also `outstanding` and queries."""

    model_config = _STRICT

    every: int | None = Field(
        default=1_000, ge=1, description="New samples a partition between two rounds; none: not by count."
    )
    seconds: float | None = Field(
        default=None, gt=0, description="Seconds between two rounds; none: not by time."
    )
    clock: Clock = Field(
        default="event",
        description="What `seconds` go by: 'event' time of the samples, so that the same log gives the same"
        " rounds, or 'processing' time, so that rounds come while no samples do.",
    )


class OutstandingSettings(BaseModel):
    """The annotators' queue, over all partitions: samples that were chosen and not answered yet."""

    model_config = _STRICT

    low: int | None = Field(
        default=None,
        ge=1,
        description="A round refills the queue when it falls under this; none: it does not.",
    )
    high: int | None = Field(
        default=None, ge=1, description="No more are handed out while so many wait; none: no limit."
    )
    ttl: float | None = Field(
        default=None,
        gt=0,
        description="Seconds after which a sample that nobody answered is recalled and may be chosen again;"
        " none: it waits for ever.",
    )

    @model_validator(mode="after")
    def _low_needs_high(self) -> Self:
        if self.low is not None and (self.high is None or self.high < self.low):
            raise ValueError("low needs a high that is at least as large: what the queue is refilled to")
        return self


class StrategySettings(BaseModel):
    """Which samples are chosen."""

    model_config = _STRICT

    name: str = Field(
        default="two_stage", description="Acquisition strategy; `siftstream strategies` lists them."
    )
    parameters: dict[str, Any] = Field(default_factory=dict, description="The strategy's own parameters.")
    cold_start: str | dict[str, Any] = Field(
        default="typiclust",
        description="Strategy until a trained model scores the window, and where the other lacks something:"
        " a name, or a mapping of `name` and parameters.",
    )
    cold_start_rows: int = Field(
        default=2_000,
        ge=1,
        description="Rows, drawn at random from the window, that the cold start chooses from: clustering all"
        " of a large window takes minutes.",
    )
    min_per_class: int = Field(
        default=0,
        ge=0,
        description="Labels of each class that the live model must have learned from to end the cold start.",
    )
    shadow: tuple[str | dict[str, Any], ...] = Field(
        default=(),
        description="Strategies that only record what they would have chosen, in topic `shadow-selected`.",
    )


class AuditSettings(BaseModel):
    """The random slice that keeps the books honest: never seen by the strategy, never trained on."""

    model_config = _STRICT

    fraction: float = Field(
        default=0.1, ge=0.0, le=1.0, description="Share of each round chosen uniformly at random."
    )
    while_paused: bool = Field(
        default=False,
        description="Go on asking for the audit slice of rounds by count and time while asking is paused: it"
        " costs labels, and tells whether the accuracy holds.",
    )


class SelectSettings(BaseModel):
    """The select stage."""

    model_config = _STRICT

    window: WindowSettings = WindowSettings()
    trigger: TriggerSettings = TriggerSettings()
    budget: BudgetSettings = BudgetSettings()
    outstanding: OutstandingSettings = OutstandingSettings()
    strategy: StrategySettings = StrategySettings()
    audit: AuditSettings = AuditSettings()
    drift: DriftSettings = DriftSettings()
    rescore: Literal["age", "reinfer"] = Field(
        default="age",
        description="What happens to a window when a model with another encoder goes live: rows 'age' out,"
        " or infer reads their features again and they are replaced.",
    )
    seed: int = Field(
        default=0, ge=0, description="Seed of every random choice; rounds are deterministic in it."
    )

    @model_validator(mode="after")
    def _drift_fits_the_window(self) -> Self:
        needed = self.drift.reference + self.drift.block
        if self.drift.detector != "none" and self.window.size < needed:
            raise ValueError(
                f"drift: a window of {self.window.size} holds no reference and a block ({needed});"
                " enlarge window.size or set a smaller drift.reference"
            )
        return self
