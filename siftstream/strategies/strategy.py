"""The contract of a strategy: its parameters, what it says of itself, and `select`."""

from abc import ABC, abstractmethod
from dataclasses import replace
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from siftstream.schemas.errors import StrategyError
from siftstream.strategies.blocks import blocks
from siftstream.strategies.needs import MEANS, REMEDY, Need
from siftstream.strategies.selection import Selection, take_best
from siftstream.strategies.window import Window


class Family(StrEnum):
    """What kind of reason a strategy has to choose a sample."""

    UNCERTAINTY = "uncertainty"
    COMMITTEE = "committee and Bayesian"
    DIVERSITY = "diversity"
    HYBRID = "hybrid"
    EXPECTED_CHANGE = "expected change"
    ADVERSARIAL = "adversarial margin"
    BASELINE = "baseline and cold start"
    COMBINING = "combining"
    STRUCTURED = "structured outputs"


@dataclass(frozen=True)
class Strategy(ABC):
    """One way to choose: a frozen dataclass whose fields are its parameters, each with a description.

    A subclass names itself, says what it needs, what it costs, when it serves and where it is from, and
    writes `choose`. `choose` sees the rows in an order that the seed gives, so "the earlier row" breaks a
    tie by the seed, and neither ties nor draws depend on where a row stood in the window.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: ClassVar[str]  # in YAML
    family: ClassVar[Family]
    needs: ClassVar[frozenset[Need]] = frozenset()
    cost: ClassVar[str]  # time by B, M, C, D, k
    when: ClassVar[str]  # a sentence: when it serves, when it does not
    source: ClassVar[str]  # paper, with equation or algorithm
    nested: ClassVar[bool] = False  # whether a smaller k gives the head of a larger k's answer

    @property
    def reads(self) -> frozenset[Need]:
        """What it needs with these parameters; strategies made of others add theirs."""
        return self.needs

    @property
    def needs_embeddings(self) -> bool:
        """Whether it compares embeddings, so that all must come from one encoder."""
        return not self.reads.isdisjoint((Need.EMBEDDINGS, Need.GRADIENT, Need.HEAD, Need.LABELLED))

    def select(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Choose the `k` most useful rows, or all of them where the window holds fewer.

        The same window, `k` and state of `rng` give the same answer, whatever the order of the rows and on
        any number of threads; ties go by the seed.

        Raises:
            StrategyError: `k` is negative, or the window lacks what the strategy needs.
        """
        if k < 0:
            raise StrategyError(f"{self.name}: cannot select {k} samples; ask for 0 or more")
        if not len(window) or not k:
            return Selection.nothing()
        self.require(window)
        chosen = self._choose_from(window, window.order(rng), min(k, len(window)), rng)
        if not np.isfinite(chosen.scores).all():
            raise StrategyError(f"{self.name}: a score that is no number; does the window hold such numbers?")
        return chosen

    def require(self, window: Window) -> None:
        """Raise StrategyError where the window lacks something that the strategy needs."""
        for need in sorted(self.reads):
            if not window.has(need):
                raise StrategyError(
                    f"{self.name}: needs {need} ({MEANS[need]}), and this window has none: {REMEDY[need]}"
                )

    @abstractmethod
    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Choose exactly `k` rows, 1 <= k <= B, of a window that has what `reads` names; scores descend."""

    def _choose_from(
        self, window: Window, order: NDArray[np.int64], k: int, rng: np.random.Generator
    ) -> Selection:
        chosen = self.choose(window.rows(order), k, rng)
        return replace(chosen, indices=order[chosen.indices])


@dataclass(frozen=True)
class ScoreStrategy(Strategy):
    """Gives each row a score that does not hang on what else is chosen, and takes the best k."""

    nested: ClassVar[bool] = True

    @abstractmethod
    def score(self, window: Window, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return how useful each row is, [B]; higher is more useful."""

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Take the `k` best scores."""
        return take_best(self.score(window, rng), k)


@dataclass(frozen=True)
class RowStrategy(ScoreStrategy):
    """Scores each row by itself, block by block in one pass over the window."""

    @abstractmethod
    def score_rows(self, window: Window) -> NDArray[np.float64]:
        """Return the score of each row of a block, [b]; a row's score hangs on that row alone."""

    def score(self, window: Window, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the score of each row, [B]."""
        del rng
        scores_B = np.empty(len(window), np.float64)
        for part in blocks(len(window), self.values_per_row(window)):
            scores_B[part] = self.score_rows(window.rows(part))
        return scores_B

    def values_per_row(self, window: Window) -> int:
        """Return how many numbers a row's score is made of, for the size of a block."""
        return max(1, window.members * window.classes)

    def _choose_from(
        self, window: Window, order: NDArray[np.int64], k: int, rng: np.random.Generator
    ) -> Selection:
        """Score the rows where they stand, which spares gathering them; only ties go by the order."""
        best = take_best(self.score(window, rng)[order], k)
        return Selection(order[best.indices], best.scores)


def parameters_of(kind: type[Any]) -> dict[str, Any]:
    """Return the parameters of a kind of strategy or rule by name, as pydantic's field descriptions."""
    return dict(getattr(kind, "__pydantic_fields__", {}))
