"""Token margin: the samples whose tokens have two classes that are close."""

from typing import ClassVar, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.structured.tokens import REDUCE, Float64, TokenUncertainty
from siftstream.strategies.uncertainty.margin import Margin


@dataclass(frozen=True)
class TokenMargin(TokenUncertainty):
    """Score 1 - margin of each token, margin = p(likeliest) - p(second), made one number a sample.

    A sample without tokens scores -1, below all others. With the boxes of an image as tokens, `sum`, `mean`
    and `min` rank detections as Brust, Kaeding and Denzler (VISAPP 2019) do, but for their square.

    >>> import numpy as np
    >>> from siftstream.strategies.beside import Tokens
    >>> from siftstream.strategies.window import Window
    >>> tokens = Tokens(np.array([[[0.75, 0.25], [0.5, 0.5]], [[0.75, 0.25], [0.5, 0.5]]]), np.array([2, 1]))
    >>> window = Window(np.zeros((2, 1, 0)), np.zeros((2, 0)), tokens=tokens)
    >>> [TokenMargin(reduce=how).score_rows(window).tolist() for how in ("min", "mean", "sum", "longest")]
    [[1.0, 0.5], [0.75, 0.5], [1.5, 0.5], [1.0, 0.0]]
    """

    name: ClassVar[str] = "token_margin"
    when: ClassVar[str] = (
        "Sequence labelling, first choice; `sum` and `longest` where long samples cost no more to label."
    )
    source: ClassVar[str] = (
        "Scheffer, Decomain and Wrobel, Active hidden Markov models for information extraction, IDA 2001, of"
        " tokens; Settles and Craven, An analysis of active learning strategies for sequence labeling tasks,"
        " EMNLP 2008, section 3.1, for totals over tokens"
    )

    reduce: Literal["min", "mean", "sum", "longest"] = Field(default="mean", description=REDUCE)
    threshold: float = Field(
        default=0.5, ge=0.0, le=1.0, description="Margin below which a token is unsure, for `longest`."
    )

    @property
    def unsure_above(self) -> float:
        """The score above which a token counts as unsure."""
        return 1.0 - self.threshold

    @staticmethod
    def of_token(probs_NC: Float64) -> Float64:
        """Return 1 minus the margin of each token, [N]."""
        return Margin.of(probs_NC)
