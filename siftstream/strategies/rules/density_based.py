"""Density-based: only samples that lie among others are asked, by the margin under a random threshold."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.needs import Need
from siftstream.strategies.rules.draws import draws_of, normal_of
from siftstream.strategies.rules.rule import Decision, StreamRule, without_slots
from siftstream.strategies.rules.state import RuleState
from siftstream.strategies.rules.threshold import LEAST, adapted
from siftstream.strategies.steady import steady
from siftstream.strategies.uncertainty.base import mean_probs
from siftstream.strategies.uncertainty.margin import Margin
from siftstream.strategies.window import Floats, Window

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class DensityState(RuleState):
    """`points`: the last embeddings, float32 bytes of [n, width]; `nearest`: squared distance of each to its
    nearest neighbour among those it has met; `threshold`: of the margin.
    """

    threshold: float = 1.0
    width: int = 0
    points: bytes = b""
    nearest: tuple[float, ...] = ()


@dataclass(frozen=True)
class DensityBased(StreamRule):
    """Ask where a sample is the new nearest neighbour of one of the last, and its margin is under t e.

    e is drawn from N(1, spread); t falls by a label asked and rises by one not asked. Samples that become
    nobody's nearest neighbour are passed over, so outliers are not asked. Spending is exact: labels asked
    over samples seen stays under the budget. Time of a sample O(last D), memory the last embeddings.

    >>> from siftstream.strategies.window import Window
    >>> points = np.array([[0.0], [1.0], [9.0], [9.5]], np.float32)
    >>> rule = DensityBased(budget=1.0, spread=0.0)
    >>> after = rule.decide(Window(np.full((4, 1, 2), 0.5), points), rule.start(np.random.default_rng(0)))
    >>> after.taken_B.tolist()  # 9 is farther from 0 and 1 than they are from one another
    [False, True, False, True]
    """

    name: ClassVar[str] = "density_based"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBS, Need.EMBEDDINGS})
    cost: ClassVar[str] = "M C + last D"
    when: ClassVar[str] = (
        "Where outliers would eat the labels of the uncertainty rules; late for a new cluster's first sample."
    )
    source: ClassVar[str] = (
        "Ienco, Zliobaite and Pfahringer, High density-focused uncertainty sampling for active learning over"
        " evolving stream data, BigMine 2014, DBALStream"
    )
    remembers: ClassVar[type[RuleState]] = DensityState

    last: int = Field(default=100, gt=0, description="Samples among which density is taken.")
    step: float = Field(
        default=0.01, gt=0.0, lt=1.0, description="Share by which the threshold moves at a sample, s."
    )
    spread: float = Field(
        default=1.0, ge=0.0, allow_inf_nan=False, description="Standard deviation of the threshold's factor."
    )

    def walk(self, window: Window, state: RuleState) -> Decision:
        """Walk over the rows."""
        assert isinstance(state, DensityState)
        dense_B, points_ND, nearest_N = self._dense(window.emb_BD, state)
        margins = (1.0 - Margin.of(mean_probs(window))).tolist()
        draws = draws_of(state.seed, state.seen, len(window)).tolist()
        taken_B = np.zeros(len(window), bool)
        seen, asked, threshold = state.seen, state.asked, state.threshold
        for row, margin in enumerate(margins):
            seen += 1
            if dense_B[row] and asked / seen < self.budget:
                factor = 1.0 + self.spread * normal_of(draws[row][0], draws[row][1])
                taken_B[row] = take = margin < threshold * factor
                threshold = max(LEAST, adapted(threshold, self.step, take))
                asked += take
        after = replace(
            state, seen=seen, asked=asked, threshold=threshold, width=window.dim,
            points=points_ND.tobytes(), nearest=tuple(nearest_N.tolist()),
        )  # fmt: skip
        return without_slots(taken_B, after)

    def most_asked(self, seen: int) -> float:
        """Return the budget's share, and the label that crosses it."""
        return seen * self.budget + 1 if self.budget else 0.0

    def _dense(self, emb_BD: Floats, state: DensityState) -> tuple[NDArray[np.bool_], Float32, Float32]:
        """Tell which rows are a new nearest neighbour of one before; and return the last rows for later.

        Embeddings of another width than the ones before, as of another encoder, begin anew.
        """
        before_ND = np.frombuffer(state.points, np.float32).reshape(-1, max(1, state.width))
        if state.width != emb_BD.shape[1]:
            before_ND = np.empty((0, emb_BD.shape[1]), np.float32)
        points_ND = np.concatenate([before_ND, emb_BD.astype(np.float32)])
        nearest_N = np.full(len(points_ND), np.inf, np.float32)
        nearest_N[: len(before_ND)] = state.nearest[: len(before_ND)]
        dense_B = np.zeros(len(emb_BD), bool)
        for row in range(len(emb_BD)):
            here = len(before_ND) + row
            near = slice(max(0, here - self.last), here)
            if near.start == here:
                continue
            apart = points_ND[near].astype(np.float64) - points_ND[here]
            squared = steady(np.einsum("nd,nd->n", apart, apart))
            closer = squared < nearest_N[near]
            dense_B[row] = closer.any()
            nearest_N[near][closer] = squared[closer]
            nearest_N[here] = squared.min()
        return dense_B, points_ND[-self.last :], nearest_N[-self.last :]
