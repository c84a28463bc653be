"""Stand-ins for scikit-activeml's fitted models, which answer with what the window holds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skactiveml.base import SkactivemlClassifier
from skactiveml.classifier import SklearnClassifier
from sklearn.linear_model import LogisticRegression

from siftstream.schemas.errors import StrategyError

Floats = NDArray[np.float64]
FLAG = "return_embeddings"


def numbers_of(rows: int) -> Floats:
    """Return what stands for the samples where a model is asked: each row's number, from 1, [rows, 1]."""
    return np.arange(1.0, rows + 1.0)[:, None]


class StandIn(SkactivemlClassifier):
    """Knows each sample by its number and gives the probabilities, and embeddings, that the window holds."""

    def __init__(self, probs_NC: Floats, emb_ND: Floats | None = None) -> None:
        super().__init__(classes=list(range(probs_NC.shape[1])), missing_label=np.nan)
        self.probs_NC, self.emb_ND = probs_NC, emb_ND
        self.classes_ = np.arange(probs_NC.shape[1])

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Refuse: the model of a stream is trained elsewhere."""
        del X, y, sample_weight
        raise StrategyError("it fits the model again (`clf`), and a window only has the model's answers")

    def predict_proba(self, X: Any, **kwargs: bool) -> Any:
        """Return probabilities [n, C] of the samples of these numbers, with embeddings if asked for."""
        rows = np.asarray(X)[:, 0].astype(np.int64) - 1
        probs = self.probs_NC[rows]
        return (probs, self.emb_ND[rows]) if kwargs.get(FLAG) and self.emb_ND is not None else probs

    def predict(self, X: Any, **kwargs: bool) -> Any:
        """Return the likeliest class of the samples of these numbers, [n]."""
        del kwargs
        return self.predict_proba(X).argmax(axis=1)


def discriminator() -> Any:
    """Return the classifier that tells labelled samples from others: logistic regression."""
    return SklearnClassifier(LogisticRegression(max_iter=200), classes=[0, 1], missing_label=-1)
