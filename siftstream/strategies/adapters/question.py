"""The question to scikit-activeml: a window's arrays as the arguments of one of its `query` methods."""

from dataclasses import dataclass
from functools import cache
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController  # scikit-learn brings it

from siftstream.strategies.adapters.skactiveml import Kind, reads_embeddings
from siftstream.strategies.adapters.stand_in import FLAG, StandIn, discriminator, numbers_of
from siftstream.strategies.window import Window

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Known:
    """The samples before the window in X: embeddings [L, D], classes [L], mean probabilities [L, C]."""

    emb_LD: Floats
    classes_L: Floats
    probs_LC: Floats

    def __len__(self) -> int:
        return len(self.classes_L)


def ask(
    theirs: Kind, parameters: dict[str, Any], window: Window, k: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], Floats]:
    """Return the rows that theirs chooses, in its order, and the utility of each when it was chosen.

    Raises:
        TypeError, ValueError: theirs refuses a parameter or the data.
    """
    query, made_with = signature(theirs.query).parameters, signature(theirs).parameters
    seed = int(rng.integers(2**31))
    asks_model = not {"clf", "ensemble", "estimator"}.isdisjoint(query)
    known = _known(window, covered=not asks_model and "classes" not in made_with)
    models = _models(theirs, window, known)
    size = len(known) + len(window)
    plain = asks_model or not reads_embeddings(theirs)
    arguments: dict[str, Any] = {
        "X": numbers_of(size) if plain else _joined(known.emb_LD, window.emb_BD),
        "y": np.concatenate([known.classes_L, np.full(len(window), np.nan)]),
        "candidates": np.arange(len(known), size),
        "batch_size": k,
        "return_utilities": True,
        **{name: False for name in query if name.startswith("fit_")},
        **{name: model for name, model in models.items() if name in query},
    }
    strategy = theirs(**{**parameters, **_set_by_us(made_with, parameters, window.classes, seed)})
    with _pools().limit(limits=1):
        chosen, utilities = strategy.query(**arguments)
    chosen = np.asarray(chosen, np.int64)
    return chosen - len(known), np.asarray(utilities, np.float64)[np.arange(len(chosen)), chosen]


@cache
def _pools() -> ThreadpoolController:
    """Return a handle on the thread pools of the libraries that theirs has loaded."""
    return ThreadpoolController()


def _set_by_us(made_with: Any, parameters: dict[str, Any], classes: int, seed: int) -> dict[str, Any]:
    """Return the parameters that are not the user's: seed, classes and where embeddings come from."""
    own: dict[str, Any] = {
        "random_state": seed,
        "classes": list(range(max(2, classes))),
        "clf_embedding_flag_name": FLAG,
        "predict_dict": {FLAG: True},
    }
    algorithm = parameters.get("cluster_algo")
    if algorithm is not None and "random_state" in signature(algorithm).parameters:
        # Theirs does not seed every one of its clusterings.
        own["cluster_algo_dict"] = {"random_state": seed, **(parameters.get("cluster_algo_dict") or {})}
    return {name: value for name, value in own.items() if name in made_with}


def _models(theirs: Kind, window: Window, known: Known) -> dict[str, Any]:
    """Return the stand-ins by the names of the arguments that take them."""
    query = signature(theirs.query).parameters
    if "discriminator" in query:
        return {"discriminator": discriminator()}
    if "ensemble" in query:
        members = window.probs_BMC.shape[1]
        probs = [_joined(known.probs_LC, window.probs_BMC[:, member]) for member in range(members)]
        return {"ensemble": [StandIn(_normalised(probs_NC)) for probs_NC in probs]}
    if "clf" in query or "estimator" in query:
        probs_NC = _normalised(_joined(known.probs_LC, window.probs_BMC.mean(axis=1, dtype=np.float64)))
        emb_ND = _joined(known.emb_LD, window.emb_BD) if reads_embeddings(theirs) else None
        stand_in = StandIn(probs_NC, emb_ND)
        return {"clf": stand_in, "estimator": stand_in}
    return {}


def _known(window: Window, *, covered: bool) -> Known:
    """Return the labelled samples, then with `covered` those covered beside them, as class 0."""
    labelled, width, classes = window.labelled, window.dim, window.classes
    emb_LD, classes_L = np.empty((0, width)), np.empty(0)
    probs_LC = np.empty((0, classes))
    if labelled is not None and labelled.emb_LD.shape[1] == width and labelled.probs_LC.shape[1] == classes:
        emb_LD, probs_LC = labelled.emb_LD.astype(np.float64), labelled.probs_LC.astype(np.float64)
        classes_L = labelled.classes_L.astype(np.float64)
    if covered and len(window.covered_ND):
        seen = {row.tobytes() for row in emb_LD}
        every = window.covered_ND.astype(np.float64)
        others = every[[row.tobytes() not in seen for row in every]]
        emb_LD = np.concatenate([emb_LD, others])
        classes_L = np.concatenate([classes_L, np.zeros(len(others))])
        probs_LC = np.concatenate([probs_LC, np.full((len(others), classes), 1.0 / max(1, classes))])
    return Known(emb_LD, classes_L, probs_LC)


def _joined(known: Floats, rows: NDArray[np.floating[Any]]) -> Floats:
    return np.concatenate([known, rows.astype(np.float64)])


def _normalised(probs_NC: Floats) -> Floats:
    """Return rows of two classes or more that sum to 1, as theirs insists; zeros become uniform."""
    if probs_NC.shape[1] == 1:
        probs_NC = np.concatenate([probs_NC, np.zeros_like(probs_NC)], axis=1)
    total = probs_NC.sum(axis=1, keepdims=True)
    uniform = np.full_like(probs_NC, 1.0 / probs_NC.shape[1])
    return np.divide(probs_NC, total, out=uniform, where=total > 0)
