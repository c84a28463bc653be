"""Stream rules by name: the built-in ones, and plug-ins from the entry point group `siftstream.rules`."""

from collections.abc import Mapping
from typing import Any, Final

from siftstream.strategies.named import Named
from siftstream.strategies.rules.rule import StreamRule

GROUP: Final = "siftstream.rules"
_ROOM: Final = "siftstream.strategies.rules"
BUILT_IN: Final[dict[str, str]] = {
    "fixed_uncertainty": f"{_ROOM}.fixed_uncertainty:FixedUncertainty",
    "variable_uncertainty": f"{_ROOM}.variable_uncertainty:VariableUncertainty",
    "randomised_variable_uncertainty": (
        f"{_ROOM}.randomised_variable_uncertainty:RandomisedVariableUncertainty"
    ),
    "split": f"{_ROOM}.split:Split",
    "balanced_incremental_quantile_filter": (
        f"{_ROOM}.balanced_incremental_quantile_filter:BalancedIncrementalQuantileFilter"
    ),
    "density_based": f"{_ROOM}.density_based:DensityBased",
    "reservoir": f"{_ROOM}.reservoir:Reservoir",
    "bernoulli": f"{_ROOM}.bernoulli:Bernoulli",
    "periodic": f"{_ROOM}.periodic:Periodic",
}
ALIASES: Final[dict[str, str]] = {
    "biqf": "balanced_incremental_quantile_filter",
    "quantile_filter": "balanced_incremental_quantile_filter",
    "dbalstream": "density_based",
    "random": "bernoulli",
    "randomized_variable_uncertainty": "randomised_variable_uncertainty",
    "random_variable_uncertainty": "randomised_variable_uncertainty",
    "reservoir_sampling": "reservoir",
    "systematic": "periodic",
}
RULES: Final = Named("stream rule", StreamRule, group=GROUP, built_in=BUILT_IN, aliases=ALIASES)


def rule_names() -> list[str]:
    """Return every name that `get_rule` knows, built-in ones first, aliases left out.

    >>> rule_names()[3]
    'split'
    """
    return RULES.names()


def rule_class(name: str) -> type[StreamRule]:
    """Return the class of that name, an alias or a plug-in too.

    Raises:
        StrategyError: the name is unknown, or a plug-in does not load.
    """
    return RULES.kind(name)


def get_rule(name: str, **parameters: Any) -> StreamRule:
    """Make the rule of that name; hyphens and underscores are the same, a built-in name wins.

    >>> get_rule("biqf").name
    'balanced_incremental_quantile_filter'

    Raises:
        StrategyError: the name is unknown, a parameter is wrong, or a plug-in does not load.
    """
    return RULES.make(name, parameters)


def rule_of(said: "StreamRule | str | Mapping[str, Any]") -> StreamRule:
    """Make the rule that a configuration says: a name, or a mapping of `name` and its parameters.

    Raises:
        StrategyError: it says no rule.
    """
    return RULES.of(said)
