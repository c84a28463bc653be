"""Stopping rules by name: the built-in ones, and plug-ins from the group `siftstream.stopping`."""

from collections.abc import Mapping
from typing import Any, Final

from siftstream.strategies.named import Named
from siftstream.strategies.stopping.rule import StoppingRule

GROUP: Final = "siftstream.stopping"
_ROOM: Final = "siftstream.strategies.stopping"
BUILT_IN: Final[dict[str, str]] = {
    "stabilising_predictions": f"{_ROOM}.stabilising_predictions:StabilisingPredictions",
    "delta_f": f"{_ROOM}.delta_f:DeltaF",
    "accuracy_plateau": f"{_ROOM}.accuracy_plateau:AccuracyPlateau",
    "exhausted_gain": f"{_ROOM}.exhausted_gain:ExhaustedGain",
    "label_limit": f"{_ROOM}.label_limit:LabelLimit",
    "any": f"{_ROOM}.combined:AnyOf",
    "all": f"{_ROOM}.combined:AllOf",
}
ALIASES: Final[dict[str, str]] = {
    "stabilizing_predictions": "stabilising_predictions",
    "kappa": "stabilising_predictions",
    "kappa_average": "stabilising_predictions",
    "delta_f_score": "delta_f",
    "predicted_change_of_f": "delta_f",
    "plateau": "accuracy_plateau",
    "max_confidence": "exhausted_gain",
    "any_of": "any",
    "all_of": "all",
}
STOPPING: Final = Named("stopping rule", StoppingRule, group=GROUP, built_in=BUILT_IN, aliases=ALIASES)


def stopping_names() -> list[str]:
    """Return every name that `get_stopping` knows, built-in ones first, aliases left out.

    >>> stopping_names()[:2]
    ['stabilising_predictions', 'delta_f']
    """
    return STOPPING.names()


def stopping_class(name: str) -> type[StoppingRule]:
    """Return the class of that name, an alias or a plug-in too.

    Raises:
        StrategyError: the name is unknown, or a plug-in does not load.
    """
    return STOPPING.kind(name)


def get_stopping(name: str, **parameters: Any) -> StoppingRule:
    """Make the rule of that name; hyphens and underscores are the same, a built-in name wins.

    >>> get_stopping("kappa", pairs=2).name
    'stabilising_predictions'

    Raises:
        StrategyError: the name is unknown, a parameter is wrong, or a plug-in does not load.
    """
    return STOPPING.make(name, parameters)


def stopping_of(said: "StoppingRule | str | Mapping[str, Any]") -> StoppingRule:
    """Make the rule that a configuration says: a name, or a mapping of `name` and its parameters.

    Raises:
        StrategyError: it says no rule.
    """
    return STOPPING.of(said)
