"""What the watch for drift may be told."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

REFERENCE_BLOCKS = (8, 32)  # fewer tell too little of how blocks differ; more do not fit beside a commit


class DriftSettings(BaseModel):
    """Whether the stream is held against what the live model was trained on, and what follows.

    >>> DriftSettings(block=50, reference=800).reference_blocks
    16
    """

    model_config = ConfigDict(extra="forbid")

    detector: Literal["none", "adwin", "page-hinkley", "kswin"] = Field(
        default="none", description="Drift detector (river); none: nobody looks. Needs the extra `drift`."
    )
    sensitivity: Literal["low", "medium", "high"] = Field(
        default="medium",
        description="How small a change is told, at the price of false alarms: docs/drift.md has both in"
        " figures, for each detector.",
    )
    block: int = Field(
        default=50,
        ge=10,
        le=100_000,
        description="Samples between two looks; a look compares means of so many samples.",
    )
    reference: int = Field(
        default=800,
        ge=80,
        description="Samples that show how the stream was when a version went live: 8 to 32 blocks. The"
        " window must hold a block more.",
    )
    directions: int = Field(
        default=8, ge=1, le=8, description="Fixed random directions on which embeddings are looked at."
    )
    again_after: int = Field(
        default=5_000,
        ge=1,
        description="Samples after which a drift of the same statistic and version may be told again.",
    )
    raise_budget: float = Field(
        default=1.0,
        ge=1.0,
        le=100.0,
        description="Factor on the size of rounds while a drift acts; every limit over time and in all holds"
        " as before.",
    )
    shrink_window: float | None = Field(
        default=None,
        gt=0.0,
        le=1.0,
        description="Share of the window, its newest rows, that rounds choose from while a drift acts; none:"
        " all of it. See also `retrain.on_drift`.",
    )
    lasts: int = Field(
        default=2_000,
        ge=1,
        description="Samples for which a drift acts, unless another version goes live before.",
    )

    @property
    def reference_blocks(self) -> int:
        """Blocks that the reference is made of."""
        return self.reference // self.block

    @model_validator(mode="after")
    def _reference_is_blocks(self) -> Self:
        least, most = REFERENCE_BLOCKS
        if not least <= self.reference_blocks <= most:
            raise ValueError(
                f"reference: {self.reference} is {self.reference_blocks} blocks of {self.block};"
                f" choose {least * self.block} to {most * self.block}"
            )
        return self
