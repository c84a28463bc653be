"""scikit-activeml's strategies, each under our name for the same one, asked about the same window.

They get what ours get: the same probabilities (from a classifier that holds the linear head, so nothing is
trained), the same embeddings as float32, and the labelled samples with their labels.
"""

import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from benchmarks.zoo.made_up import logits_of, softmax
from siftstream.strategies.window import Window

WARM = 64  # samples of the choice that comes first, unmeasured
PEERS: dict[str, tuple[str, dict[str, Any]]] = {  # their class, its parameters
    "random": ("RandomSampling", {}),
    "margin": ("UncertaintySampling", {"method": "margin_sampling"}),
    "least_confidence": ("UncertaintySampling", {"method": "least_confident"}),
    "entropy": ("UncertaintySampling", {"method": "entropy"}),
    "mean_kl": ("QueryByCommittee", {"method": "KL_divergence"}),
    "vote_entropy": ("QueryByCommittee", {"method": "vote_entropy"}),
    "variation_ratios": ("QueryByCommittee", {"method": "variation_ratios"}),
    "bald": ("GreedyBALD", {}),
    "batch_bald": ("BatchBALD", {}),
    "k_center": ("CoreSet", {}),
    "typiclust": ("TypiClust", {}),
    "prob_cover": ("ProbCover", {}),
    "max_herding": ("MaxHerding", {}),
    "badge": ("Badge", {}),
    "clue": ("Clue", {}),
    "falcun": ("Falcun", {}),
    "cal": ("ContrastiveAL", {}),
    "dal": ("DiscriminativeAL", {}),
}
ASKED_WITH = {
    "clf": ("UncertaintySampling", "Badge", "Falcun", "ContrastiveAL"),
    "estimator": ("Clue",),
    "ensemble": ("QueryByCommittee", "GreedyBALD", "BatchBALD"),
    "discriminator": ("DiscriminativeAL",),
}


def peer_of(name: str, window: Window) -> Callable[[int], Any]:
    """Return what asks scikit-activeml's strategy of our name for k samples; all else is done before."""
    warnings.simplefilter("ignore")
    from skactiveml import pool

    kind, parameters = PEERS[name]
    assert window.labelled is not None
    emb = np.concatenate([window.emb_BD, window.labelled.emb_LD]).astype(np.float32)
    labels = np.concatenate([np.full(len(window), np.nan), window.labelled.classes_L])
    role = next((role for role, kinds in ASKED_WITH.items() if kind in kinds), "")
    asked = {role: model_of(role, window), **_unfitted(role)} if role else {}
    query = getattr(pool, kind)(random_state=0, **parameters).query
    few = slice(max(0, len(window) - WARM), None)
    with suppress(ValueError):  # what it imports late is there now, as it is for ours
        query(emb[few], labels[few], **asked, batch_size=1)
    return lambda k: query(emb, labels, **asked, batch_size=k)


def _unfitted(role: str) -> dict[str, bool]:
    return {} if role == "discriminator" else {f"fit_{role}": False}


def model_of(role: str, window: Window) -> Any:
    """Return the model that a strategy of theirs asks for: the head, its members, or one to be trained."""
    from skactiveml.classifier import SklearnClassifier
    from sklearn.linear_model import LogisticRegression

    if role == "discriminator":
        return SklearnClassifier(LogisticRegression(max_iter=200), classes=[0, 1], random_state=0)
    assert window.head is not None
    head = window.head
    members = [
        _classifier(head.weights_MDC[m : m + 1], head.bias_MC[m : m + 1]) for m in range(window.members)
    ]
    return members if role == "ensemble" else _classifier(head.weights_MDC, head.bias_MC)


def _classifier(weights_MDC: Any, bias_MC: Any) -> Any:
    """Return a classifier of theirs that predicts by the members given, and is never trained."""
    from skactiveml.base import SkactivemlClassifier

    probs_of = partial(_mean_probs, weights_MDC, bias_MC)

    class Head(SkactivemlClassifier):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            raise NotImplementedError("the head is given")

        def predict_proba(self, X: Any, **kwargs: Any) -> Any:
            return probs_of(np.asarray(X))

        def predict(self, X: Any, **kwargs: Any) -> Any:
            return probs_of(np.asarray(X)).argmax(axis=1).astype(np.float64)

    made: Any = Head(classes=list(range(weights_MDC.shape[2])))
    made.classes_ = np.arange(weights_MDC.shape[2])
    made.n_features_in_ = weights_MDC.shape[1]
    return made


def _mean_probs(weights_MDC: Any, bias_MC: Any, emb_BD: Any) -> Any:
    return softmax(logits_of(emb_BD, weights_MDC, bias_MC)).mean(axis=1)
