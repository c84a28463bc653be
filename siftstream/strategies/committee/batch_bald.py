"""BatchBALD: the batch whose labels together tell most about the members."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.committee.bald import BALD
from siftstream.strategies.committee.base import normalised
from siftstream.strategies.committee.outcomes import Outcomes
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection, take_best
from siftstream.strategies.steady import steady
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class BatchBALD(Strategy):
    """Score what a sample's label adds to the mutual information of the batch's labels and the member, nats.

    Greedy: each next sample is the one that adds most to those before it. The candidates are the rows of
    highest BALD. Outcomes of the batch are summed exactly while there are at most `outcomes` of them, and
    sampled beyond. M members bear at most log M of information, so a batch is soon full: when the best
    candidate adds less than `least_gain`, or `joint` samples were chosen so, the rest of `k` follows in the
    order of BALD. Scores never rise; those of the rest are their BALD, scaled to go on from the last gain.
    Rows are made to sum to 1. Time O(B M C) and O(candidates outcomes M C) for each sample chosen jointly;
    memory a few blocks and the candidates.

    >>> yes, no = [1.0, 0.0], [0.0, 1.0]
    >>> halves, alternate = [yes, yes, no, no], [yes, no, yes, no]
    >>> window = Window(np.array([halves, halves, alternate, [yes] * 4]), np.zeros((4, 1)))
    >>> chosen = BatchBALD().select(window, 4, np.random.default_rng(1))
    >>> sorted(chosen.indices[:2].tolist()), chosen.scores.round(6).tolist()
    ([1, 2], [0.693147, 0.693147, 0.693147, 0.0])
    """

    name: ClassVar[str] = "batch_bald"
    family: ClassVar[Family] = Family.COMMITTEE
    needs: ClassVar[frozenset[Need]] = frozenset({Need.MEMBERS})
    cost: ClassVar[str] = "B M C + joint candidates outcomes M C"
    when: ClassVar[str] = (
        "Batches of up to a few dozen with fifty or more members; with ten members a batch is all"
        " but full after about ten samples, so power_bald there."
    )
    nested: ClassVar[bool] = True
    source: ClassVar[str] = (
        "Kirsch, van Amersfoort and Gal, BatchBALD: efficient and diverse batch acquisition for deep Bayesian"
        " active learning, NeurIPS 2019, algorithm 1"
    )

    outcomes: int = Field(
        default=1_000,
        ge=1,
        description="Joint outcomes of the batch's labels that are followed: all of them while there are no"
        " more, then a sample of so many (at least as many as members).",
    )
    candidates: int = Field(default=1_000, ge=1, description="Rows of highest BALD that a batch is made of.")
    joint: int = Field(default=100, ge=1, description="Most samples chosen jointly; the rest go by BALD.")
    least_gain: float = Field(
        default=1e-3,
        ge=0.0,
        allow_inf_nan=False,
        description="Information in nats below which no sample is chosen jointly any more.",
    )

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Choose jointly while it gains, then in the order of BALD."""
        bald_B = steady(BALD().score(window, rng)).astype(np.float64)
        rows = take_best(bald_B, min(self.candidates, len(window))).indices
        jointly, gains = self._jointly(window, rows, min(k, self.joint, len(rows)), rng)
        left = np.delete(np.arange(len(window)), jointly)
        rest = take_best(bald_B[left], k - len(jointly)) if k > len(jointly) else Selection.nothing()
        scores = rest.scores
        if len(gains) and len(scores) and scores[0] > gains[-1]:
            scores = np.minimum(scores * (gains[-1] / scores[0]), gains[-1])
        return Selection(np.concatenate([jointly, left[rest.indices]]), np.concatenate([gains, scores]))

    def _jointly(
        self, window: Window, rows: NDArray[np.int64], most: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return at most `most` of the rows, each adding most to those before it, and what each adds."""
        probs_PMC = normalised(window.probs_BMC[rows])
        found, gains = list[int](), list[float]()
        outcomes = Outcomes.none(window.members, self.outcomes)
        while len(found) < most:
            gain_P = outcomes.gains(probs_PMC)
            gain_P[found] = -1.0
            best = int(gain_P.argmax())
            if gain_P[best] < self.least_gain:
                break
            found.append(best)
            gains.append(float(gain_P[best]))
            outcomes.add(probs_PMC[best], rng)
        return rows[found].astype(np.int64), np.minimum.accumulate(np.array(gains, np.float64))
