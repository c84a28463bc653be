"""EPIG: the samples whose label would tell most about the predictions on other samples of the stream."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.blocks import blocks
from siftstream.strategies.committee.base import Float64, consensus, normalised, xlogx
from siftstream.strategies.committee.joint import weighted_xlogx
from siftstream.strategies.needs import Need
from siftstream.strategies.steady import steady
from siftstream.strategies.strategy import Family, ScoreStrategy
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class EPIG(ScoreStrategy):
    """Score the mean over target samples of the mutual information of the two labels, in nats.

    H(y) + mean H(y*) - mean H(y, y*), with p(y, y*) the mean over the members of p(y) p(y*). Targets are
    drawn from the window, which stands for what the model will be asked about; a row may be a target of its
    own, as another sample like it. Rows are made to sum to 1. Time O(B T M C^2) for T targets; memory a few
    blocks.

    >>> sure, torn = [[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]
    >>> window = Window(np.array([torn, torn, torn, sure]), np.zeros((4, 1)))
    >>> EPIG().select(window, 4, np.random.default_rng(0)).scores.round(6).tolist()  # 3/4 log 2
    [0.51986, 0.51986, 0.51986, 0.0]
    """

    name: ClassVar[str] = "epig"
    family: ClassVar[Family] = Family.COMMITTEE
    needs: ClassVar[frozenset[Need]] = frozenset({Need.MEMBERS})
    cost: ClassVar[str] = "B M C^2 targets"
    when: ClassVar[str] = (
        "Streams with outliers, which BALD runs after and EPIG leaves; not with hundreds of classes."
    )
    source: ClassVar[str] = (
        "Bickford Smith, Kirsch, Farquhar, Gal, Foster and Rainforth, Prediction-oriented Bayesian active"
        " learning, AISTATS 2023"
    )

    targets: int = Field(
        default=100, ge=1, description="Samples of the window that the predictions are judged on."
    )

    def score(self, window: Window, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the expected predictive information gain of each row in nats, [B]."""
        count = min(self.targets, len(window))
        drawn = rng.choice(len(window), count, replace=False)
        targets_TMC = normalised(window.probs_BMC[drawn])
        scores_B = np.empty(len(window))
        for part in blocks(len(window), window.members * window.classes):
            scores_B[part] = predictive_gain(window.probs_BMC[part], targets_TMC)
        return scores_B


def predictive_gain(probs_BMC: NDArray[np.floating[Any]], targets_TMC: Float64) -> Float64:
    """Return the mean mutual information of each row's label and a target's, in nats, [B], in steady numbers.

    The targets sum to 1 over the classes. Joint probabilities are never held for more than a block.
    """
    pool_BMC = normalised(probs_BMC)
    size, members, classes = pool_BMC.shape
    pool_RM = pool_BMC.transpose(0, 2, 1).reshape(-1, members) / members
    targets_MV = targets_TMC.transpose(1, 0, 2).reshape(members, -1)
    joint_R = weighted_xlogx(pool_RM, targets_MV, np.ones(targets_MV.shape[1]))
    joint_B = joint_R.reshape(size, classes).sum(axis=1) / len(targets_TMC)
    own_B = xlogx(consensus(pool_BMC)).sum(axis=1)
    target = xlogx(consensus(targets_TMC)).sum() / len(targets_TMC)
    return np.maximum(steady(joint_B - own_B - target), 0.0).astype(np.float64)
