"""Token least confidence: the samples whose tokens' likeliest classes are least likely."""

from typing import ClassVar, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.structured.tokens import REDUCE, Float64, TokenUncertainty
from siftstream.strategies.uncertainty.least_confidence import LeastConfidence


@dataclass(frozen=True)
class TokenLeastConfidence(TokenUncertainty):
    """Score 1 - p(likeliest) of each token, made one number a sample.

    A sample without tokens scores -1, below all others.

    >>> import numpy as np
    >>> from siftstream.strategies.beside import Tokens
    >>> from siftstream.strategies.window import Window
    >>> tokens = Tokens(np.array([[[1.0, 0.0], [0.5, 0.5]], [[0.75, 0.25], [0.5, 0.5]]]), np.array([2, 2]))
    >>> window = Window(np.zeros((2, 1, 0)), np.zeros((2, 0)), tokens=tokens)
    >>> TokenLeastConfidence().score_rows(window).tolist()
    [0.25, 0.375]
    """

    name: ClassVar[str] = "token_least_confidence"
    when: ClassVar[str] = (
        "Sequence labelling where a token has one right tag against the rest; as token_margin."
    )
    source: ClassVar[str] = (
        "Lewis and Gale, A sequential algorithm for training text classifiers, SIGIR 1994, of each token;"
        " Settles and Craven, An analysis of active learning strategies for sequence labeling tasks, EMNLP"
        " 2008, section 3.1, for totals over tokens"
    )

    reduce: Literal["max", "mean", "sum", "longest"] = Field(default="mean", description=REDUCE)
    threshold: float = Field(
        default=0.5, ge=0.0, le=1.0, description="Score above which a token is unsure, for `longest`."
    )

    @staticmethod
    def of_token(probs_NC: Float64) -> Float64:
        """Return 1 minus the highest probability of each token, [N]."""
        return LeastConfidence.of(probs_NC)
