"""What expected error and variance reduction share: a few candidates scored, the rest behind them."""

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.expected_change.surrogate import Surrogate
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.steady import steady
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.uncertainty.margin import Margin
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class ExpectedReduction(Strategy):
    """Scores what a candidate's label would do to a linear surrogate on a sample of the window.

    Where k is more than the candidates, the rest come after them in the order of the prefilter, with the
    lowest score of a candidate, for they have none of their own.
    """

    family: ClassVar[Family] = Family.EXPECTED_CHANGE
    needs: ClassVar[frozenset[Need]] = frozenset({Need.EMBEDDINGS, Need.LABELLED})
    nested: ClassVar[bool] = True

    candidates: int = Field(default=200, gt=0, description="Samples that are scored, at most.")
    references: int = Field(
        default=500, gt=0, description="Samples of the window, drawn at random, over which the loss is taken."
    )
    prefilter: Literal["margin", "random"] = Field(
        default="margin",
        description="Which samples are scored: those of the smallest margin, or random ones.",
    )
    ridge: float = Field(
        default=0.01,
        gt=0.0,
        allow_inf_nan=False,
        description="Regularisation of the surrogate, as a share of the mean eigenvalue of X'X.",
    )

    @property
    def reads(self) -> frozenset[Need]:
        """Embeddings and labelled samples, and probabilities for the margin."""
        return self.needs | {Need.PROBS} if self.prefilter == "margin" else self.needs

    @abstractmethod
    def reductions(self, surrogate: Surrogate, candidates: Window, references: Window) -> NDArray[np.float64]:
        """Return by how much each candidate's label is expected to lower the loss, [B]."""

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Score the candidates, and put the rest behind them."""
        assert window.labelled is not None
        order = np.arange(len(window))  # the seed's order: the head of it is a random sample
        references = window.rows(order[: self.references])
        if self.prefilter == "margin":
            order = np.argsort(-Margin().score(window, rng), kind="stable")
        scored, rest = order[: self.candidates], order[self.candidates :]
        surrogate = Surrogate.of(window.labelled, references.emb_BD, window.classes, self.ridge)
        scores = steady(self.reductions(surrogate, window.rows(scored), references))
        behind = np.full(len(rest), scores.min())
        best = Selection.ranked(np.concatenate([scored, rest]), np.concatenate([scores, behind]))
        return Selection(best.indices[:k], best.scores[:k])
