"""How a candidate compares with the live version, figure by figure, with intervals."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Interval = tuple[float, float]
Source = Literal["all", "holdout", "audit"]


class Figure(BaseModel):
    """One measure of a candidate, beside the live version's on the same samples.

    >>> Figure(name="accuracy", value=0.9, interval=(0.85, 0.94), live=0.88).difference
    0.02
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    name: str = Field(description="accuracy, macro_f1, log_loss, ece, or recall/CLASS.")
    samples: Source = Field(default="all", description="The held-out, the audited, or both together.")
    count: int = Field(default=0, ge=0, description="Samples that it speaks of; of recall, of that class.")
    value: float
    interval: Interval | None = Field(default=None, description="Where the true value lies, 90 %.")
    live: float | None = Field(default=None, description="The live version's; none without one.")
    gap: Interval | None = Field(
        default=None, description="Where the true difference to live lies, 90 %, paired."
    )
    allowed: float | None = Field(default=None, ge=0, description="What the gate allowed it to be worse by.")
    kept: bool = Field(default=True, description="Whether it stayed within what the gate allowed.")

    @property
    def difference(self) -> float | None:
        """The candidate's minus the live version's."""
        return None if self.live is None else round(self.value - self.live, 12)


class Judgement(BaseModel):
    """The table behind a verdict."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    against: str | None = Field(default=None, description="The live version that it was compared with.")
    judged: Annotated[int, Field(ge=0)] = 0
    figures: tuple[Figure, ...] = ()

    def find(self, name: str, samples: Source = "all") -> Figure | None:
        """Return a figure by its name, where it was taken."""
        return next((f for f in self.figures if (f.name, f.samples) == (name, samples)), None)
