"""Sequence confidence: the samples whose likeliest labels, all tokens together, are least likely."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.structured.tokens import Float64, TokenStrategy


@dataclass(frozen=True)
class SequenceConfidence(TokenStrategy):
    """Score -sum log p(likeliest) over the tokens in nats, of the likeliest sequence therefore -log p.

    It ranks as the paper's 1 - product does, which for long samples is 1 in every digit. Tokens count as
    independent, given the sample. A sample without tokens scores -1, below all others.

    >>> from siftstream.strategies.beside import Tokens
    >>> from siftstream.strategies.window import Window
    >>> tokens = Tokens(np.array([[[0.5, 0.5], [0.5, 0.5]], [[0.25, 0.75], [1.0, 0.0]]]), np.array([2, 2]))
    >>> window = Window(np.zeros((2, 1, 0)), np.zeros((2, 0)), tokens=tokens)
    >>> SequenceConfidence().score_rows(window).round(6).tolist()  # 2 log 2, log 4/3
    [1.386294, 0.287682]
    """

    name: ClassVar[str] = "sequence_confidence"
    when: ClassVar[str] = (
        "Sequence labelling scored as whole sequences; long samples come first unless `per_token`."
    )
    source: ClassVar[str] = (
        "Culotta and McCallum, Reducing labeling effort for structured prediction tasks, AAAI 2005;"
        " per token: Shen, Yun, Lipton, Kronrod and Anandkumar, Deep active learning for named entity"
        " recognition, ICLR 2018, section 4 (MNLP)"
    )

    per_token: bool = Field(
        default=False, description="Divide by the number of tokens: length counts no more."
    )

    def of(self, probs_BTC: Float64, counts_BT: NDArray[np.bool_]) -> Float64:
        """Return minus the log-probability of each sample's likeliest labels in nats, [B]."""
        likely_BT = np.maximum(probs_BTC.max(axis=2), np.finfo(np.float64).tiny)
        unlikely_B = np.maximum(-np.where(counts_BT, np.log(likely_BT), 0.0).sum(axis=1), 0.0)
        return unlikely_B / np.maximum(counts_BT.sum(axis=1), 1) if self.per_token else unlikely_B
