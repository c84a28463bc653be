"""Information density: an uncertainty, lowered for samples that are like few others."""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.hybrid.density import mean_cosine, mean_over
from siftstream.strategies.hybrid.informative import scores_in
from siftstream.strategies.inner import Scoring
from siftstream.strategies.needs import Need
from siftstream.strategies.strategy import Family, ScoreStrategy
from siftstream.strategies.uncertainty.entropy import Entropy
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class InformationDensity(ScoreStrategy):
    """Score uncertainty * (mean similarity to the window)^beta.

    `cosine` compares each row with all, in closed form by the mean of the rows at length 1, O(B D); a mean
    below 0 counts as 0. `euclidean` is 1 / (1 + distance) to `references` random rows, O(B references D).
    A row is compared with itself too.

    The mean cosines are .5, .5 (a right angle and itself), so the entropy .6931 counts half:

    >>> window = Window(np.full((2, 1, 2), 0.5), np.array([[2.0, 0.0], [0.0, 1.0]]))
    >>> InformationDensity().select(window, 2, np.random.default_rng(0)).scores.round(4).tolist()
    [0.3466, 0.3466]
    """

    name: ClassVar[str] = "information_density"
    family: ClassVar[Family] = Family.HYBRID
    needs: ClassVar[frozenset[Need]] = frozenset({Need.EMBEDDINGS})
    cost: ClassVar[str] = "B (M C + D), B references D with euclidean"
    when: ClassVar[str] = (
        "Streams with outliers that fool an uncertainty; small batches only, as it takes near-duplicates."
    )
    source: ClassVar[str] = (
        "Settles and Craven, An analysis of active learning strategies for sequence labeling tasks,"
        " EMNLP 2008, the information density score"
    )

    uncertainty: Scoring = Field(
        default_factory=Entropy, description="What is weighed: a name or `{name, ...}`."
    )
    similarity: Literal["cosine", "euclidean"] = Field(
        default="cosine",
        description="What makes two samples alike: `cosine`, or `euclidean` 1 / (1 + distance).",
    )
    beta: float = Field(
        default=1.0, ge=0.0, allow_inf_nan=False, description="Exponent of the similarity; 0 leaves it out."
    )
    references: int = Field(
        default=2000,
        ge=1,
        description="Rows drawn to compare with for `euclidean`; all where there are fewer.",
    )

    @property
    def reads(self) -> frozenset[Need]:
        """Embeddings, and what the uncertainty reads."""
        return self.needs | self.uncertainty.reads

    def score(self, window: Window, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the product for each row, [B]."""
        scores_B = scores_in(window, self.uncertainty, rng)
        if self.similarity == "cosine":
            density_B = np.maximum(mean_cosine(window.emb_BD), 0.0)
        else:
            density_B = mean_over(window.emb_BD, self.references, rng, lambda apart: 1.0 / (1.0 + apart))
        return scores_B * density_B**self.beta
