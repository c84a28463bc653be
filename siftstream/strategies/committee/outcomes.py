"""What the labels of the chosen samples may turn out to be, and what each outcome says of the members."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from siftstream.strategies.committee.base import Float64, xlogx
from siftstream.strategies.committee.joint import weighted_xlogx
from siftstream.strategies.steady import steady


@dataclass(eq=False)
class Outcomes:
    """Joint outcomes of the chosen samples: all that can be while they are at most `limit`, then a sample.

    `chances_S` are the outcomes' probabilities; `members_SM` is the probability of each member, given the
    outcome. All members are equally probable before the first label. In the sample, outcome s is drawn from
    member `drawn_S[s]`, the members in turn; it takes the place of the sum over C^n outcomes.
    """

    limit: int
    chances_S: Float64
    members_SM: Float64
    chosen: list[Float64] = field(default_factory=list[Float64])
    drawn_S: NDArray[np.int64] | None = None

    @classmethod
    def none(cls, members: int, limit: int) -> Self:
        """Return the one outcome of no samples."""
        return cls(max(limit, members), np.ones(1), np.full((1, members), 1.0 / members))

    def gains(self, probs_PMC: Float64) -> NDArray[np.float32]:
        """Return how much each candidate's label would tell of the members beyond the chosen, nats, [P].

        It is the mean over the outcomes of H(y | outcome), less the mean over the members of H(y | member):
        the joint mutual information with the candidate, less that without.
        """
        size, members, classes = probs_PMC.shape
        pool_RM = probs_PMC.transpose(0, 2, 1).reshape(-1, members)
        unsure_R = -weighted_xlogx(pool_RM, np.ascontiguousarray(self.members_SM.T), self.chances_S)
        within_P = -xlogx(probs_PMC).reshape(size, -1).sum(axis=1) / members
        return np.maximum(steady(unsure_R.reshape(size, classes).sum(axis=1) - within_P), np.float32(0.0))

    def add(self, probs_MC: Float64, rng: np.random.Generator) -> None:
        """Take one more sample to the chosen ones."""
        self.chosen.append(probs_MC)
        if self.drawn_S is not None:
            self._draw(probs_MC, self.drawn_S, rng)
            return
        both_SCM = self.members_SM[:, None, :] * probs_MC.T
        given_SC = both_SCM.sum(axis=2)
        possible = given_SC > 0
        if np.count_nonzero(possible) > self.limit:
            self._sample(rng)
            return
        self.chances_S = (self.chances_S[:, None] * given_SC)[possible]
        self.members_SM = both_SCM[possible] / given_SC[possible][:, None]

    def _sample(self, rng: np.random.Generator) -> None:
        """Go over from all outcomes to `limit` drawn ones."""
        members = len(self.chosen[0])
        self.chances_S = np.full(self.limit, 1.0 / self.limit)
        self.members_SM = np.full((self.limit, members), 1.0 / members)
        self.drawn_S = np.arange(self.limit) % members
        for probs_MC in self.chosen:
            self._draw(probs_MC, self.drawn_S, rng)

    def _draw(self, probs_MC: Float64, drawn_S: NDArray[np.int64], rng: np.random.Generator) -> None:
        """Draw each outcome's label of one more sample from the outcome's own member."""
        reached_MC = np.cumsum(probs_MC, axis=1)
        reached_MC /= reached_MC[:, -1:]
        label_S = (rng.random(len(drawn_S))[:, None] >= reached_MC[drawn_S]).sum(axis=1)
        both_SM = self.members_SM * probs_MC.T[label_S]
        self.members_SM = both_SM / np.maximum(both_SM.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
