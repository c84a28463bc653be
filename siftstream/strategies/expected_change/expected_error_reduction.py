"""Expected error reduction: the samples whose label would lower the error on the window the most."""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.blocks import blocks
from siftstream.strategies.expected_change.base import ExpectedReduction
from siftstream.strategies.expected_change.surrogate import Float64, Surrogate, probabilities
from siftstream.strategies.needs import Need
from siftstream.strategies.uncertainty.base import mean_probs
from siftstream.strategies.uncertainty.entropy import entropy
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class ExpectedErrorReduction(ExpectedReduction):
    """Score loss(now) - sum_c p(c | x) loss(after learning x as c), the loss expected over the references.

    p is the model's own probability; the loss is that of a least-squares surrogate, whose probabilities stand
    in for the unknown classes: their entropy, or 1 minus the highest. It learns each (x, c) by a rank-one
    update. Only the likeliest `outcomes` classes are tried, and p renormalised over them.
    Time O(L D^2 + D^3 + n (D^2 + R D + R C outcomes)) for n candidates and R references.

    >>> expected_loss(np.array([[0.5, 0.5], [1.0, 0.0]]), "error").tolist()
    [0.5, 0.0]
    """

    name: ClassVar[str] = "expected_error_reduction"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBS, Need.EMBEDDINGS, Need.LABELLED})
    cost: ClassVar[str] = "B M C + L D^2 + D^3 + n (D^2 + R D + R C min(C, 10))"
    when: ClassVar[str] = (
        "For few, dear labels: it asks what helps the whole window, not what is odd; slow, and no better than"
        " its surrogate is like the model."
    )
    source: ClassVar[str] = (
        "Roy and McCallum, Toward optimal active learning through sampling estimation of error reduction,"
        " ICML 2001, equations 2 and 3"
    )

    loss: Literal["log", "error"] = Field(
        default="log", description="`log`: log-loss, which is the entropy; `error`: 0/1 loss."
    )
    outcomes: int = Field(default=10, gt=0, description="Classes that are tried for a candidate, at most.")

    def reductions(self, surrogate: Surrogate, candidates: Window, references: Window) -> NDArray[np.float64]:
        """Return the loss now minus the expected loss after each candidate's label, [B]."""
        references_RE = surrogate.extended(references.emb_BD)
        now_RC = references_RE @ surrogate.weights_EC
        loss_now = float(expected_loss(probabilities(now_RC), self.loss).mean())
        chances_BC = mean_probs(candidates)
        reduced_B = np.empty(len(candidates))
        for part in blocks(len(candidates), max(3 * now_RC.size, references_RE.shape[1])):
            x_BE = surrogate.extended(candidates.emb_BD[part])
            moved_BR, _ = surrogate.moved_by(x_BE, references_RE)
            off_BC = -(x_BE @ surrogate.weights_EC)
            reduced_B[part] = loss_now - self._expected(chances_BC[part], moved_BR, off_BC, now_RC)
        return reduced_B

    def _expected(
        self, chances_BC: Float64, moved_BR: Float64, off_BC: Float64, now_RC: Float64
    ) -> NDArray[np.float64]:
        """Return the loss expected after the label of each candidate, [B]."""
        rows = np.arange(len(chances_BC))
        tried_BO = np.argsort(-chances_BC, axis=1, kind="stable")[:, : self.outcomes]
        weights_BO = probabilities(np.take_along_axis(chances_BC, tried_BO, axis=1))
        expected_B = np.zeros(len(rows))
        for outcome in range(tried_BO.shape[1]):
            target_BC = off_BC.copy()
            target_BC[rows, tried_BO[:, outcome]] += 1.0
            after_BRC = now_RC + moved_BR[:, :, None] * target_BC[:, None, :]
            loss_B = expected_loss(probabilities(after_BRC), self.loss).mean(axis=1)
            expected_B += weights_BO[:, outcome] * loss_B
        return expected_B


def expected_loss(probs: Float64, loss: Literal["log", "error"]) -> NDArray[np.float64]:
    """Return the loss that rows of class probabilities expect of themselves, over the last axis."""
    return 1.0 - probs.max(axis=-1) if loss == "error" else entropy(probs)
