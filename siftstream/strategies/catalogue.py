"""What each strategy says of itself, for people: the list and the page of `siftstream strategies`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from inspect import cleandoc
from typing import Any, Final, get_type_hints

from pydantic import ValidationError

from siftstream.strategies.named import plain
from siftstream.strategies.registry import ALIASES, strategy_class, strategy_names
from siftstream.strategies.rules.registry import RULES, rule_class, rule_names
from siftstream.strategies.stopping.registry import STOPPING, stopping_class, stopping_names
from siftstream.strategies.strategy import Strategy

OF_ITS_PARTS: Final = ("what its parts need",)


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, type, default (none where it must be given) and description."""

    name: str
    kind: str
    default: str | None
    description: str


@dataclass(frozen=True)
class Entry:
    """One strategy, as it is told to people; `explanation` is its docstring without the examples."""

    name: str
    family: str
    needs: tuple[str, ...]
    cost: str
    when: str
    source: str
    explanation: str
    aliases: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    selects: bool  # whether the select stage takes it as its strategy


def entry(name: str) -> Entry:
    """Return what the strategy, stream rule or stopping rule of that name says of itself.

    Raises:
        StrategyError: the name is unknown.
    """
    if plain(name) not in {*strategy_names(), *ALIASES}:  # `random` is a stream rule's other name too
        if RULES.find(name):
            return _entry_of(rule_class(name), RULES.aliases)
        if STOPPING.find(name):
            return _entry_of(stopping_class(name), STOPPING.aliases)
    return _entry_of(strategy_class(name), ALIASES)


def entries() -> list[Entry]:
    """Return every strategy, built-in ones first, in the order of their families."""
    return [_entry_of(strategy_class(name), ALIASES) for name in strategy_names()]


def rules() -> list[Entry]:
    """Return every stream rule."""
    return [_entry_of(rule_class(name), RULES.aliases) for name in rule_names()]


def stopping_rules() -> list[Entry]:
    """Return every stopping rule."""
    return [_entry_of(stopping_class(name), STOPPING.aliases) for name in stopping_names()]


def _entry_of(kind: Any, aliases: Mapping[str, str]) -> Entry:
    return Entry(
        name=kind.name, family=str(kind.family), needs=_needs(kind), cost=kind.cost,
        when=kind.when, source=kind.source, explanation=_explanation(kind),
        aliases=tuple(alias for alias, known in aliases.items() if known == kind.name),
        parameters=tuple(_parameters(kind)), selects=issubclass(kind, Strategy),
    )  # fmt: skip


def _needs(kind: Any) -> tuple[str, ...]:
    """Return what it reads as it is by default; what is made of others needs what they need."""
    try:
        return tuple(sorted(kind().reads))
    except (AttributeError, ValidationError):
        return tuple(sorted(kind.needs)) or (OF_ITS_PARTS if _required(kind) else ())


def _required(kind: Any) -> bool:
    return any(one.is_required() for one in kind.__pydantic_fields__.values())


def _explanation(kind: Any) -> str:
    """Return the docstring up to its example, without the line that leads to it."""
    said = cleandoc(kind.__doc__ or "").partition(">>>")[0].strip()
    return said.rpartition("\n\n")[0] if said.endswith(":") else said


def _parameters(kind: Any) -> Iterator[Parameter]:
    described = getattr(kind, "__pydantic_fields__", {})
    types = get_type_hints(kind)
    for one in fields(kind):
        told = described.get(one.name)
        default = (
            None if told is None or told.is_required() else str(told.get_default(call_default_factory=True))
        )
        yield Parameter(one.name, _type_name(types[one.name]), default, (told and told.description) or "")


def _type_name(hint: Any) -> str:
    """Return a type as people write it in YAML's terms.

    >>> from typing import Literal
    >>> _type_name(float), _type_name(Literal["a", "b"] | None)
    ('float', "'a' | 'b' | none")
    """
    if isinstance(hint, type):
        return hint.__name__
    words = re.sub(r"(\w+\.)+", "", str(hint))
    words = re.sub(r"Literal\[(.*?)\]", lambda found: found[1].replace(", ", " | "), words)
    return re.sub(r"Optional\[(.*)\]", r"\1 | none", words).replace("None", "none")
