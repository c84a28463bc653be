"""Which strategy chooses the first labels and which the others, as said on the command line."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from siftstream.schemas.errors import ConfigError
from siftstream.strategies.registry import strategy_of
from siftstream.strategies.strategy import Strategy

Said = str | Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """A strategy for the rounds and one for the first labels; the name of its figures; how it was said."""

    name: str
    said: str
    start: Strategy
    then: Strategy


def plans(text: str) -> list[Plan]:
    """Read a list as in YAML: names, `start+then`, or mappings of `name`, `start` and parameters.

    >>> [plan.name for plan in plans("margin, k_center+margin, {name: margin, temperature: 2.0}")]
    ['margin', 'k_center+margin', 'margin temperature=2.0']

    Raises:
        StrategyError: a strategy or a parameter is unknown; ConfigError: no such list.
    """
    try:
        found = yaml.safe_load(f"[{text}]")
    except yaml.YAMLError as error:
        raise ConfigError(f"strategies: {text!r} is no list of names; write 'margin, random'") from error
    return [_plan(said) for said in found]


def _plan(said: Said) -> Plan:
    if isinstance(said, str):
        start, plus, then = said.partition("+")
        return Plan(
            said, said, strategy_of(start if plus else "random"), strategy_of(then if plus else start)
        )
    then = {key: value for key, value in said.items() if key != "start"}
    start = said.get("start", "random")
    name = " ".join([str(then["name"]), *(f"{key}={_short(then[key])}" for key in then if key != "name")])
    if start != "random":
        name = f"{_name(start)}+{name}"
    return Plan(name, json.dumps(said), strategy_of(start), strategy_of(then))


def _name(said: Said) -> str:
    return said if isinstance(said, str) else str(said["name"])


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
