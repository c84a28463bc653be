"""What a strategy may read from the window, and what to do where a window lacks it."""

from enum import StrEnum
from typing import Final


class Need(StrEnum):
    """One thing that a strategy reads; `siftstream strategies` lists each strategy's."""

    PROBS = "probs"
    MEMBERS = "members >= 2"
    EMBEDDINGS = "embeddings"
    GRADIENT = "gradient"
    HEAD = "head"
    LABELLED = "labelled"
    METADATA = "metadata"
    COLUMNS = "columns"
    TOKENS = "tokens"


MEANS: Final[dict[Need, str]] = {
    Need.PROBS: "class probabilities of the model",
    Need.MEMBERS: "probabilities of two or more members of the head, or of passes with dropout",
    Need.EMBEDDINGS: "embeddings, all of one encoder",
    Need.GRADIENT: "probabilities and the embeddings that the last layer made them from",
    Need.HEAD: "the weights of the linear head that made the probabilities",
    Need.LABELLED: "samples of the window that have a label already",
    Need.METADATA: "metadata of the samples",
    Need.COLUMNS: "score columns beside the probabilities",
    Need.TOKENS: "class probabilities of each token",
}

REMEDY: Final[dict[Need, str]] = {
    Need.PROBS: "let a model score it first",
    Need.MEMBERS: "set retrain.train.members, or import the model with --mc-dropout",
    Need.EMBEDDINGS: "use a model that gives them",
    Need.GRADIENT: "use a model that gives embeddings and probabilities",
    Need.HEAD: "use a model whose head is linear",
    Need.LABELLED: "let a cold-start strategy choose the first labels",
    Need.METADATA: "send metadata with each URI",
    Need.COLUMNS: "give them to the window",
    Need.TOKENS: "give them to the window",
}
