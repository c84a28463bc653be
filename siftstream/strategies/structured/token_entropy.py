"""Token entropy: the samples whose tokens' class distributions are most spread out."""

from typing import ClassVar, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.structured.tokens import REDUCE, Float64, TokenUncertainty
from siftstream.strategies.uncertainty.entropy import entropy


@dataclass(frozen=True)
class TokenEntropy(TokenUncertainty):
    """Score -sum p log p of each token in nats, made one number a sample: `sum` is the total token entropy.

    A sample without tokens scores -1, below all others.

    >>> import numpy as np
    >>> from siftstream.strategies.beside import Tokens
    >>> from siftstream.strategies.window import Window
    >>> tokens = Tokens(np.array([[[1.0, 0.0], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]]]), np.array([2, 2]))
    >>> window = Window(np.zeros((2, 1, 0)), np.zeros((2, 0)), tokens=tokens)
    >>> TokenEntropy(reduce="sum").score_rows(window).round(6).tolist()
    [0.693147, 1.386294]
    """

    name: ClassVar[str] = "token_entropy"
    when: ClassVar[str] = "Sequence labelling with a calibrated model of few tags; else token_margin."
    source: ClassVar[str] = (
        "Settles and Craven, An analysis of active learning strategies for sequence labeling tasks, EMNLP"
        " 2008, section 3.1: token entropy and total token entropy"
    )

    reduce: Literal["max", "mean", "sum", "longest"] = Field(default="mean", description=REDUCE)
    threshold: float = Field(
        default=0.5, ge=0.0, description="Entropy in nats above which a token is unsure, for `longest`."
    )

    @staticmethod
    def of_token(probs_NC: Float64) -> Float64:
        """Return the entropy of each token in nats, [N]."""
        return entropy(probs_NC)
