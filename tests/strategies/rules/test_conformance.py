"""Every stream rule keeps every check of the suite."""

from collections.abc import Callable

import pytest

from siftstream.strategies.rules import StreamRule, get_rule, rule_names
from siftstream.strategies.rules.conformance import CHECKS

VARIANTS: dict[str, list[dict[str, object]]] = {
    "fixed_uncertainty": [{}, {"threshold": 0.9, "memory": None}],
    "variable_uncertainty": [{}, {"step": 0.5, "budget": 0.3}],
    "split": [{}, {"random_share": 1.0, "budget": 1.0}],
    "balanced_incremental_quantile_filter": [{}, {"score": "entropy", "last": 10, "tolerance": 5.0}],
    "density_based": [{}, {"last": 1, "spread": 0.0, "budget": 0.7}],
    "reservoir": [{}, {"size": 5, "weight": "margin", "budget": 1.0}],
}
CASES = [
    pytest.param(name, parameters, id="-".join([name, *parameters]))
    for name in rule_names()
    for parameters in VARIANTS.get(name, [{}])
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_every_stream_rule_keeps_every_check(
    name: str, parameters: dict[str, object], check: Callable[[StreamRule], None]
) -> None:
    check(get_rule(name, **parameters))
