"""Every strategy keeps every rule of the suite, and each rule catches what breaks it."""

from collections.abc import Callable

import pytest

from siftstream.strategies import Strategy, get_strategy, strategy_names
from siftstream.strategies.conformance import RULES
from tests.strategies.variants import VARIANTS

CASES = [
    pytest.param(name, parameters, id="-".join([name, *parameters]))
    for name in strategy_names()
    for parameters in VARIANTS.get(name, [{}])
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_every_strategy_keeps_every_rule(
    name: str, parameters: dict[str, object], rule: Callable[[Strategy], None]
) -> None:
    rule(get_strategy(name, **parameters))
