"""scikit-activeml: any query strategy of `skactiveml.pool` by name, `skactiveml:TypiClust`."""

import warnings
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from inspect import Parameter, isclass, signature
from typing import Any, ClassVar, Final, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.schemas.errors import StrategyError
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.strategy import Family, Strategy, parameters_of
from siftstream.strategies.window import Window

Floats = NDArray[np.float64]
Kind = type[Any]

# Arguments of their `query` that the adapter gives; `fit_...` is always False.
GIVEN: Final = {"X", "y", "candidates", "batch_size", "return_utilities", "clf", "ensemble", "estimator"}
GIVEN_TOO: Final = {"discriminator", "fit_clf", "fit_ensemble", "fit_estimator"}
# Parameters of theirs that the adapter sets itself.
SET: Final = {
    "missing_label", "random_state", "clf_embedding_flag_name", "predict_dict", "classes",
    "sample_predictions_method_name", "sample_predictions_dict",
}  # fmt: skip
# What no signature tells: models that a window's answers cannot stand in for.
OTHER_MODELS: Final = {
    "DropQuery": "a model that answers for changed embeddings too",
    "EpistemicUncertaintySampling": "a Parzen window or a logistic regression of its own",
    "FourDs": "a mixture model",
    "ProbabilisticAL": "a model that counts class frequencies",
}
LABELLED: Final = {"ContrastiveAL", "CostEmbeddingAL", "Quire"}
FAMILIES: Final = {"RandomSampling": Family.BASELINE, "Falcun": Family.HYBRID}


@dataclass(frozen=True)
class Skactiveml(Strategy):
    """A query strategy of scikit-activeml; its parameters are theirs, its answer keeps our rules.

    X holds the labelled samples, then the covered ones, then the window; where a model is asked, X holds
    their numbers, and a stand-in answers with the probabilities and embeddings that the window has. Labelled
    samples have their classes. Covered ones stand as labelled, of class 0, where theirs only asks whether a
    sample is labelled; where it asks for their probabilities or classes, which nobody knows, they are left
    out. The rest of y is missing.

    Scores are their utilities where those are numbers that descend; else they say the place, from 1 for the
    first down to 1/k. Where theirs names a sample twice or stops early, and where its TypiClust finds
    labelled samples in every cluster, the first rows of the seed's order fill up. Theirs runs on one
    thread, for scikit-learn's k-means is not the same on several. Their utilities are a matrix [k, B] of
    float64 and more: 8 GB for 10,000 of 100,000.

    >>> probs = np.array([[[0.5, 0.5]], [[0.75, 0.25]], [[1.0, 0.0]]])
    >>> strategy = strategy_class_of("UncertaintySampling")(method="margin_sampling")
    >>> chosen = strategy.select(Window(probs, np.zeros((3, 0))), 2, np.random.default_rng(0))
    >>> chosen.indices.tolist(), chosen.scores.tolist()
    ([0, 1], [1.0, 0.5])
    """

    cost: ClassVar[str] = "k B and more"
    theirs: ClassVar[Kind]

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        """Ask theirs for a batch of `k`."""
        from siftstream.strategies.adapters.question import ask  # imports scikit-activeml

        parameters = {name: getattr(self, name) for name in parameters_of(type(self))}
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # such as: fewer distinct points than clusters
            try:
                rows, utilities = ask(self.theirs, parameters, window, k, rng)
            except UnboundLocalError:  # their TypiClust where labelled samples lie in every cluster
                rows, utilities = np.empty(0, np.int64), np.empty(0)
            except (TypeError, ValueError) as error:
                raise StrategyError(f"{self.name}: scikit-activeml refuses: {error}") from error
        return mended(rows, utilities, k, len(window))


def mended(rows: NDArray[np.int64], utilities: Floats, k: int, size: int) -> Selection:
    """Return exactly `k` distinct rows in their order, with scores that descend.

    >>> chosen = mended(np.array([4, 2, 4]), np.array([0.5, 0.7, 0.1]), 3, 6)
    >>> chosen.indices.tolist(), chosen.scores.round(2).tolist()
    ([4, 2, 0], [1.0, 0.67, 0.33])
    """
    _, first = np.unique(rows, return_index=True)
    kept = rows[np.sort(first)]
    if len(kept) == k and np.isfinite(utilities).all() and (np.diff(utilities) <= 0).all():
        return Selection(kept, utilities)
    others = np.setdiff1d(np.arange(size), kept)
    return Selection(np.concatenate([kept, others[: k - len(kept)]]), 1.0 - np.arange(k) / k)


def strategy_class_of(name: str) -> type[Strategy]:
    """Make the strategy for a query strategy of theirs; its parameters are those of its constructor.

    Raises:
        StrategyError: scikit-activeml is missing, has no such strategy, or it asks for what no window has.
    """
    known = _theirs()
    plain = {_plain(one): one for one in known}
    if _plain(name) not in plain:
        near = [plain[found] for found in get_close_matches(_plain(name), plain, cutoff=0.5)]
        hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(known)}"
        raise StrategyError(f"skactiveml.pool has no query strategy {name!r}; {hint}")
    theirs = known[plain[_plain(name)]]
    if lack := what_it_lacks(theirs):
        raise StrategyError(f"skactiveml:{theirs.__name__} asks for {lack}, which a window cannot give")
    return _adapted(theirs)


def adapted_names() -> list[str]:
    """Return the names of all that the adapter can serve.

    Raises:
        StrategyError: scikit-activeml is missing.
    """
    return [f"skactiveml:{name}" for name, theirs in _theirs().items() if not what_it_lacks(theirs)]


def what_it_lacks(theirs: Kind) -> str:
    """Return the argument that a query strategy asks for and no window has, in words; else nothing."""
    query = signature(theirs.query).parameters
    if theirs.__name__ in OTHER_MODELS:
        return f"`clf`: {OTHER_MODELS[theirs.__name__]}"
    if "ignore_partial_fit" in query:
        return "`clf`: a model that it fits again for each sample"
    for name, parameter in query.items():
        if parameter.kind is Parameter.VAR_KEYWORD:
            return "`query_strategy`: another strategy of theirs to wrap"
        if parameter.default is Parameter.empty and name not in {"self", *GIVEN, *GIVEN_TOO}:
            return f"`{name}`"
    return ""


@cache
def _adapted(theirs: Kind) -> type[Strategy]:
    name = theirs.__name__
    said: dict[str, Any] = {
        "name": f"skactiveml:{name}",
        "family": _family(theirs),
        "needs": _needs(theirs),
        "when": f"To compare with scikit-activeml's {name}, or where none of ours does it; small windows.",
        "source": f"scikit-activeml, skactiveml.pool.{name}, whose documentation names the paper",
        "theirs": theirs,
        "__doc__": f"scikit-activeml's {name}.",
        "__module__": __name__,
    }
    parameters: Mapping[str, Parameter] = signature(theirs).parameters
    shown = [one for one in parameters.values() if one.name not in SET]
    annotations = {one.name: Any for one in shown}
    fields = {one.name: _field(one, name) for one in shown}
    kind = type(name, (Skactiveml,), {**said, **fields, "__annotations__": annotations})
    return cast("type[Strategy]", dataclass(frozen=True)(kind))


def _field(parameter: Parameter, theirs: str) -> Any:
    description = f"As `{parameter.name}` of scikit-activeml's {theirs}."
    if parameter.default is Parameter.empty:
        return Field(description=description)
    return Field(default=parameter.default, description=description)


def reads_embeddings(theirs: Kind) -> bool:
    """Tell whether it compares embeddings: it takes no model, or can take them from the model's answer."""
    model = not {"clf", "ensemble", "estimator"}.isdisjoint(signature(theirs.query).parameters)
    flags = {"clf_embedding_flag_name", "predict_dict"}
    return (
        not flags.isdisjoint(signature(theirs).parameters) if model else theirs.__name__ != "RandomSampling"
    )


def _needs(theirs: Kind) -> frozenset[Need]:
    query = signature(theirs.query).parameters
    needs = {Need.EMBEDDINGS} if reads_embeddings(theirs) else set[Need]()
    if "ensemble" in query:
        needs.add(Need.MEMBERS)
    if "clf" in query or "estimator" in query:
        needs.add(Need.PROBS)
    if theirs.__name__ in LABELLED:
        needs.add(Need.LABELLED)
    if "classes" in signature(theirs).parameters:
        needs.add(Need.PROBS)  # they say how many there are
    return frozenset(needs)


def _family(theirs: Kind) -> Family:
    query = signature(theirs.query).parameters
    if theirs.__name__ in FAMILIES:
        return FAMILIES[theirs.__name__]
    if "ensemble" in query:
        return Family.COMMITTEE
    if "clf" in query or "estimator" in query or "discriminator" in query:
        return Family.HYBRID if reads_embeddings(theirs) else Family.UNCERTAINTY
    return Family.DIVERSITY


def _theirs() -> dict[str, Kind]:
    """Return the query strategies of `skactiveml.pool` by name."""
    try:
        pool = import_module("skactiveml.pool")
    except ImportError as error:
        raise StrategyError(
            "strategies of scikit-activeml need it installed: pip install 'siftstream[skactiveml]'"
        ) from error
    found = {name: getattr(pool, name) for name in pool.__all__}
    return {name: kind for name, kind in found.items() if isclass(kind) and hasattr(kind, "query")}


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "").replace("-", "").replace(" ", "")
