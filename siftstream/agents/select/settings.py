"""What the select stage may be told: window, trigger, budget, strategy, audit."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_STRICT = ConfigDict(extra="forbid")


class WindowSettings(BaseModel):
    """The sliding window of one partition."""

    model_config = _STRICT

    size: int = Field(
        default=10_000, ge=1, le=10_000_000, description="Samples kept a partition: the last ones seen."
    )


class TriggerSettings(BaseModel):
    """When a round is held."""

    model_config = _STRICT

    every: int = Field(default=1_000, ge=1, description="New samples a partition between two rounds.")


class BudgetSettings(BaseModel):
    """How many labels may be asked for; all limits hold at once."""

    model_config = _STRICT

    per_round: int = Field(
        default=20, ge=1, le=1_000, description="Samples chosen a round and partition, audit included."
    )
    total: int | None = Field(
        default=None, ge=0, description="Samples chosen in all, over all partitions; none: no limit."
    )

    def share(self, partition: int, partitions: int) -> int | None:
        """The part of the total that is this partition's; the shares sum to the total.

        >>> [BudgetSettings(total=10).share(p, 4) for p in range(4)]
        [3, 3, 2, 2]
        """
        if self.total is None:
            return None
        return self.total // partitions + (partition < self.total % partitions)


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


class AuditSettings(BaseModel):
    """The random slice that keeps the books honest: never seen by the strategy, never trained on."""

    model_config = _STRICT

    fraction: float = Field(
        default=0.1, ge=0.0, le=1.0, description="Share of each round chosen uniformly at random."
    )


class SelectSettings(BaseModel):
    """The select stage."""

    model_config = _STRICT

    window: WindowSettings = WindowSettings()
    trigger: TriggerSettings = TriggerSettings()
    budget: BudgetSettings = BudgetSettings()
    strategy: StrategySettings = StrategySettings()
    audit: AuditSettings = AuditSettings()
    seed: int = Field(
        default=0, ge=0, description="Seed of every random choice; rounds are deterministic in it."
    )
