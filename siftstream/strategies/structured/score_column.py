"""Score column: the samples that a number of the model's or the source's own puts first."""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.schemas.errors import StrategyError
from siftstream.strategies.needs import Need
from siftstream.strategies.strategy import Family, RowStrategy
from siftstream.strategies.window import Window

LIMITS = np.finfo(np.float64)


@dataclass(frozen=True)
class ScoreColumn(RowStrategy):
    """Score the value of a column, or minus it where the lowest come first.

    For whatever class probabilities do not say: a detector's doubt about its boxes, a regression's predicted
    variance, a price, a reader's rating. A value that is no number scores lowest, so that one bad sample
    stops no round; infinities become the largest numbers there are.

    >>> sigma = np.array([0.5, 2.0, np.nan])
    >>> window = Window(np.zeros((3, 1, 0)), np.zeros((3, 0)), columns={"sigma": sigma})
    >>> ScoreColumn(column="sigma").select(window, 2, np.random.default_rng(0)).indices.tolist()
    [1, 0]
    """

    name: ClassVar[str] = "score_column"
    family: ClassVar[Family] = Family.STRUCTURED
    needs: ClassVar[frozenset[Need]] = frozenset({Need.COLUMNS})
    cost: ClassVar[str] = "B"
    when: ClassVar[str] = (
        "Detection, regression, or any model that knows its own doubt; what the column means is"
        " yours to vouch for."
    )
    source: ClassVar[str] = (
        "By itself no paper's; of a predicted variance it is Cohn, Ghahramani and Jordan, Active learning"
        " with statistical models, JAIR 1996"
    )

    column: str = Field(default="score", min_length=1, description="Name of the column.")
    order: Literal["highest", "lowest"] = Field(default="highest", description="Which values come first.")

    def score_rows(self, window: Window) -> NDArray[np.float64]:
        """Return the score of each row of a block, [b].

        Raises:
            StrategyError: the window has no such column.
        """
        columns = window.columns
        if self.column not in columns:
            raise StrategyError(
                f"{self.name}: this window has no column {self.column!r}; it has"
                f" {', '.join(sorted(columns)) or 'none'}"
            )
        values_B = columns[self.column].astype(np.float64)
        if self.order == "lowest":
            values_B = -values_B
        return np.nan_to_num(values_B, nan=LIMITS.min, posinf=LIMITS.max, neginf=LIMITS.min)

    def values_per_row(self, window: Window) -> int:
        """Return how many numbers a row's score is made of, for the size of a block."""
        return 1
