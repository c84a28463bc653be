"""CLUE: the samples nearest to the centres of clusters in which uncertain samples weigh more."""

from typing import ClassVar

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.hybrid.informative import scores_in, weights_of
from siftstream.strategies.hybrid.weighted_centres import nearest_to_centres
from siftstream.strategies.inner import Scoring
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.uncertainty.entropy import Entropy
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class Clue(Strategy):
    """Cluster the window into k by k-means weighted by entropy; take the row nearest to each centre.

    The nearest is sought among a cluster's own rows. The score is the entropy. Time O(B k D) for each
    iteration, of which there are at most `iterations`.

    Two groups, in each of which the uncertain sample pulls the centre to itself:

    >>> probs = np.array([[[0.5, 0.5]], [[1.0, 0.0]], [[1.0, 0.0]], [[0.6, 0.4]]])
    >>> window = Window(probs, np.array([[0.0], [1.0], [9.0], [10.0]]))
    >>> chosen = Clue().select(window, 2, np.random.default_rng(0))
    >>> chosen.indices.tolist(), chosen.scores.round(4).tolist()
    ([0, 3], [0.6931, 0.673])
    """

    name: ClassVar[str] = "clue"
    family: ClassVar[Family] = Family.HYBRID
    needs: ClassVar[frozenset[Need]] = frozenset({Need.EMBEDDINGS})
    cost: ClassVar[str] = "B k D an iteration"
    when: ClassVar[str] = (
        "A model that moves to another domain, with small batches; slow for thousands: badge."
    )
    source: ClassVar[str] = (
        "Prabhu, Chandrasekaran, Saenko and Hoffman, Active domain adaptation via clustering"
        " uncertainty-weighted embeddings, ICCV 2021, the CLUE algorithm"
    )

    uncertainty: Scoring = Field(
        default_factory=Entropy,
        description="What weighs a sample, a name or `{name, ...}`; sharper with a temperature"
        " below 1, `{name: entropy, temperature: 0.1}`.",
    )
    iterations: int = Field(
        default=10, ge=1, description="Most steps of k-means; it ends early when settled."
    )

    @property
    def reads(self) -> frozenset[Need]:
        """Embeddings, and what the uncertainty reads."""
        return self.needs | self.uncertainty.reads

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Cluster, then take a row of each cluster."""
        scores_B = scores_in(window, self.uncertainty, rng)
        rows = nearest_to_centres(window.emb_BD, weights_of(scores_B), k, rng, self.iterations)
        return Selection.ranked(rows, scores_B[rows])
