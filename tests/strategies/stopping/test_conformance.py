"""Every stopping rule keeps every check of the suite."""

from collections.abc import Callable

import pytest

from siftstream.strategies.stopping import StoppingRule, get_stopping, stopping_names
from siftstream.strategies.stopping.conformance import CHECKS

BOTH = ["delta_f", {"name": "accuracy_plateau", "gain": 0.1}]
VARIANTS: dict[str, list[dict[str, object]]] = {
    "stabilising_predictions": [{}, {"pairs": 1, "agreement": 0.1}],
    "delta_f": [{}, {"positive": None, "change": 1.0}],
    "accuracy_plateau": [{}, {"gain": 0.9, "versions": 1, "confidence": 0.99}],
    "exhausted_gain": [{}, {"threshold": 0.7, "rounds": 1}],
    "any": [{"rules": BOTH}],
    "all": [{"rules": BOTH}],
}
CASES = [
    pytest.param(name, parameters, id="-".join([name, *parameters]))
    for name in stopping_names()
    for parameters in VARIANTS.get(name, [{}])
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_every_stopping_rule_keeps_every_check(
    name: str, parameters: dict[str, object], check: Callable[[StoppingRule], None]
) -> None:
    check(get_stopping(name, **parameters))
