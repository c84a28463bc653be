"""Random projection: another strategy chooses by narrower embeddings that keep the distances nearly."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.beside import Labelled
from siftstream.strategies.blocks import blocks
from siftstream.strategies.distances import Floats
from siftstream.strategies.inner import Inner
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.steady import steady
from siftstream.strategies.strategy import Family, Strategy
from siftstream.strategies.window import Window


def _without_head(strategy: Strategy) -> Strategy:
    if Need.HEAD in strategy.reads:
        raise ValueError(f"{strategy.name} reads the head, whose weights do not fit projected embeddings")
    return strategy


@dataclass(frozen=True)
class RandomProjection(Strategy):
    """Multiply embeddings by a random matrix of `dim` columns, then let `strategy` choose.

    Covered and labelled embeddings go through the same matrix. `sparse` has entries sqrt(3 / dim) times
    +1, 0 and -1 with chances 1/6, 2/3 and 1/6; `gaussian` has normal ones of variance 1 / dim. Embeddings
    that are no wider than `dim` stay as they are. Time O((B + N) D dim) and the inner strategy's; memory
    float32 embeddings of `dim`.

    >>> window = Window(np.ones((3, 1, 1), np.float32), np.eye(3, dtype=np.float32))
    >>> chosen = RandomProjection(strategy="k_center", dim=2).select(window, 2, np.random.default_rng(0))
    >>> len(chosen), chosen.by
    (2, 'k_center')
    """

    name: ClassVar[str] = "random_projection"
    family: ClassVar[Family] = Family.DIVERSITY
    needs: ClassVar[frozenset[Need]] = frozenset({Need.EMBEDDINGS})
    cost: ClassVar[str] = "(B + N) D dim, and the inner strategy's with dim for D"
    when: ClassVar[str] = "For embeddings of thousands of dimensions, where distances take most of the time."
    source: ClassVar[str] = (
        "Achlioptas, Database-friendly random projections, Journal of Computer and System Sciences 2003,"
        " theorem 1.1"
    )

    strategy: Annotated[Inner, AfterValidator(_without_head)] = Field(
        default="k_center",
        validate_default=True,
        description="The strategy that chooses: a name, or a mapping of `name` and its parameters.",
    )  # pyright: ignore[reportAssignmentType]
    dim: int = Field(default=64, ge=1, description="Dimensions after the projection.")
    kind: Literal["sparse", "gaussian"] = Field(default="sparse", description="How the matrix is drawn.")

    @property
    def reads(self) -> frozenset[Need]:
        """Embeddings, and what the inner strategy reads."""
        return self.needs | self.strategy.reads

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Let the inner strategy choose from the projected window."""
        narrow = window
        if window.dim > self.dim:
            matrix_DE = self.matrix(window.dim, rng)
            known = window.labelled
            narrow = window.but(
                emb_BD=_projected(window.emb_BD, matrix_DE),
                covered_ND=_projected(window.covered_ND, matrix_DE),
                labelled=known
                and Labelled(_projected(known.emb_LD, matrix_DE), known.classes_L, known.probs_LC),
            )
        chosen = self.strategy.choose(narrow, k, rng)
        return Selection(chosen.indices, chosen.scores, chosen.by or self.strategy.name)

    def matrix(self, width: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the matrix, [D, dim]."""
        if self.kind == "gaussian":
            return rng.normal(0.0, self.dim**-0.5, (width, self.dim))
        signs = np.array([1.0, 0.0, 0.0, 0.0, 0.0, -1.0])[rng.integers(6, size=(width, self.dim))]
        return signs * (3.0 / self.dim) ** 0.5


def _projected(emb_ID: Floats, matrix_DE: NDArray[np.float64]) -> NDArray[np.float32]:
    narrow_IE = np.empty((len(emb_ID), matrix_DE.shape[1]), np.float32)
    for part in blocks(len(emb_ID), max(matrix_DE.shape)):
        narrow_IE[part] = steady(emb_ID[part].astype(np.float64) @ matrix_DE)
    return narrow_IE
