"""CAL: samples that the model sees differently from the labelled samples next to them."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.blocks import blocks
from siftstream.strategies.distances import neighbours
from siftstream.strategies.needs import Need
from siftstream.strategies.steady import steady
from siftstream.strategies.strategy import Family, ScoreStrategy
from siftstream.strategies.uncertainty.base import mean_probs
from siftstream.strategies.window import Window

FLOOR = 1e-7  # of a probability, so that its logarithm is a number
Probs = NDArray[np.float64]


@dataclass(frozen=True)
class Cal(ScoreStrategy):
    """Score the mean KL(p(neighbour) || p(row)) over the nearest labelled samples, in nats.

    Neighbours are those of the least Euclidean distance between embeddings; all of them where fewer have a
    label. Probabilities below 1e-7 count as that. Time O(B (L D + neighbours C)).

    KL((.5, .5) || (.9, .1)) = .5 ln(.5 / .9) + .5 ln(.5 / .1):

    >>> from siftstream.strategies.beside import Labelled
    >>> known = Labelled(np.array([[0.0]]), np.array([0]), np.array([[0.5, 0.5]]))
    >>> window = Window(np.array([[[0.9, 0.1]], [[0.5, 0.5]]]), np.array([[0.0], [1.0]]), labelled=known)
    >>> chosen = Cal().select(window, 2, np.random.default_rng(0))
    >>> chosen.indices.tolist(), chosen.scores.round(4).tolist()
    ([0, 1], [0.5108, 0.0])
    """

    name: ClassVar[str] = "cal"
    family: ClassVar[Family] = Family.HYBRID
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBS, Need.EMBEDDINGS, Need.LABELLED})
    cost: ClassVar[str] = "B (L D + neighbours C)"
    when: ClassVar[str] = (
        "A fine-tuned encoder and small batches; with a linear head on frozen features it tells little new,"
        " and it takes near-duplicates."
    )
    source: ClassVar[str] = (
        "Margatina, Vernikos, Barrault and Aletras, Active learning by acquiring contrastive examples,"
        " EMNLP 2021, algorithm 1"
    )

    neighbours: int = Field(default=10, ge=1, description="Labelled samples that a sample is compared with.")

    def score(self, window: Window, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the mean divergence of each row, [B]."""
        del rng
        known = window.labelled
        assert known is not None  # `require` saw to it
        _, nearest_BK = neighbours(window.emb_BD, known.emb_LD, self.neighbours)
        known_LC = _floored(known.probs_LC.astype(np.float64))
        scores_B = np.empty(len(window))
        for part in blocks(len(window), max(window.members, nearest_BK.shape[1]) * window.classes):
            logs_BC = np.log(_floored(mean_probs(window.rows(part))))
            near_BKC = known_LC[nearest_BK[part]]
            apart_BK = (near_BKC * (np.log(near_BKC) - logs_BC[:, None, :])).sum(axis=2)
            scores_B[part] = steady(np.maximum(apart_BK.mean(axis=1), 0.0))
        return scores_B


def _floored(probs: Probs) -> Probs:
    probs = np.maximum(probs, FLOOR)
    return probs / probs.sum(axis=-1, keepdims=True)
