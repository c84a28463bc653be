"""When a trained candidate may replace the live version."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

FIGURES: Final = ("accuracy", "macro_f1", "log_loss", "ece", "recall")
Allowed = Annotated[float, Field(ge=0)]


class GateSettings(BaseModel):
    """What a candidate must not lose, against the live version on the held-out and audit samples."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allowed: Mapping[str, Allowed] = Field(
        default={"accuracy": 0.02},
        description="How much worse it may be, by figure: accuracy, macro_f1, log_loss, ece, recall (of every"
        " class) and recall/CLASS (of one); figures not named are only told.",
    )
    confidence: float | None = Field(
        default=None,
        gt=0.5,
        lt=1,
        description="Reject only where the loss is beyond what is allowed with this confidence (paired"
        " samples); none: the figures as they stand decide.",
    )
    min_judged: int = Field(
        default=50, ge=1, description="Held-out and audit samples needed to judge; with fewer it goes live."
    )
    promote: bool = Field(
        default=True, description="Put a candidate that passes live at once; false keeps it a candidate."
    )

    def refusal(self, classes: Sequence[str]) -> str | None:
        """Say which figure is none, or of a class that is none, with the nearest that is; None where all are.

        >>> GateSettings(allowed={"acuracy": 0.1}).refusal(("cat", "dog"))
        "allowed: no figure is called 'acuracy', the nearest is 'accuracy'"
        >>> GateSettings(allowed={"recall/cta": 0.1, "ece": 0.1}).refusal(("cat", "dog"))
        "allowed: no figure is called 'recall/cta', the nearest is 'recall/cat'"
        """
        known = (*FIGURES, *(f"recall/{name}" for name in classes))
        for name in self.allowed:
            if name not in known:
                near = get_close_matches(name, known, n=1, cutoff=0.0)
                return f"allowed: no figure is called {name!r}, the nearest is {near[0]!r}"
        return None
