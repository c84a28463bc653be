"""The state of a stream rule: what it must remember between samples, and over a restart."""

from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass


@dataclass(frozen=True)
class RuleState:
    """Numbers only; a rule that remembers more has a state class of its own beside it.

    `rule`: whose state it is; `seed`: all its draws come from it; `seen`: samples so far; `asked`: of which
    labels were asked; `spent`: the estimate of labels asked among the last samples, where a rule keeps one.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", ser_json_inf_nan="strings", ser_json_bytes="base64", val_json_bytes="base64"
    )

    rule: str
    seed: int
    seen: int = 0
    asked: int = 0
    spent: float = 0.0

    def to_json(self) -> str:
        """Return the state as JSON, from which `StreamRule.from_json` makes an equal one.

        >>> RuleState("bernoulli", seed=7, seen=3).to_json()
        '{"rule":"bernoulli","seed":7,"seen":3,"asked":0,"spent":0.0}'
        """
        return TypeAdapter(type(self)).dump_json(self).decode()
