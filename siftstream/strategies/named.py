"""Kinds of one contract by their names: a table of built-in ones, aliases, and an entry point group."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast

from pydantic import ValidationError

from siftstream.schemas.errors import StrategyError

_Kind = TypeVar("_Kind")


class Named(Generic[_Kind]):
    """Finds classes by name and makes them with parameters; a class is imported when it is asked for.

    Hyphens, spaces and underscores are the same, and a built-in name or alias wins over a plug-in's.
    """

    def __init__(
        self,
        noun: str,
        contract: type[_Kind],
        *,
        group: str,
        built_in: Mapping[str, str],
        aliases: Mapping[str, str],
    ) -> None:
        """Args:
        noun: What messages call one of them.
        contract: The class that each is a subclass of.
        group: The entry point group of plug-ins.
        built_in: `module:Class` by name.
        aliases: Name by other name.
        """
        self.noun, self.contract, self.group = noun, contract, group
        self.built_in, self.aliases = built_in, aliases

    def names(self) -> list[str]:
        """Return every name, built-in ones first, aliases left out."""
        return [*self.built_in, *sorted(self._plug_ins())]

    def find(self, name: str) -> str | None:
        """Return the name itself where `name` or its alias is known, else none."""
        wanted = plain(name)
        wanted = self.aliases.get(wanted, wanted)
        return wanted if wanted in self.built_in or wanted in self._plug_ins() else None

    def kind(self, name: str) -> type[_Kind]:
        """Return the class of that name.

        Raises:
            StrategyError: the name is unknown, or a plug-in does not load.
        """
        found = self.find(name)
        if found is None:
            known = [*self.names(), *self.aliases]
            near = [
                self.aliases.get(word, word) for word in get_close_matches(plain(name), known, cutoff=0.5)
            ]
            hint = "`siftstream strategies` lists them"
            if near:
                hint = f"did you mean {' or '.join(dict.fromkeys(near))}?"
            raise StrategyError(f"{self.noun} {name!r} is unknown; {hint}")
        if found in self.built_in:
            return imported(self.built_in[found])
        return self._load(self._plug_ins()[found])

    def make(self, name: str, parameters: Mapping[str, Any]) -> _Kind:
        """Make the one of that name.

        Raises:
            StrategyError: the name is unknown, a parameter is wrong, or a plug-in does not load.
        """
        return made(self.noun, name, self.kind(name), parameters)

    def of(self, said: _Kind | str | Mapping[str, Any]) -> _Kind:
        """Make what a configuration says: a name, or a mapping of `name` and its parameters.

        Raises:
            StrategyError: it says none.
        """
        if isinstance(said, self.contract):
            return said
        parameters = said_by(self.noun, cast("str | Mapping[str, Any]", said))
        return self.make(parameters.pop("name"), parameters)

    def _plug_ins(self) -> dict[str, EntryPoint]:
        found = {plain(point.name): point for point in entry_points(group=self.group)}
        return {
            name: point
            for name, point in found.items()
            if name not in self.built_in and name not in self.aliases
        }

    def _load(self, point: EntryPoint) -> type[_Kind]:
        try:
            kind = point.load()
        except Exception as error:  # a plug-in may fail in any way while it is imported
            raise StrategyError(f"{self.noun} plug-in {point.value!r} does not load: {error}") from error
        if not (isinstance(kind, type) and issubclass(kind, self.contract)):
            raise StrategyError(
                f"{self.noun} plug-in {point.value!r} is no subclass of"
                f" {self.contract.__module__}.{self.contract.__qualname__}"
            )
        return kind


def said_by(noun: str, said: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return `name` and parameters as a configuration says them.

    Raises:
        StrategyError: it says none.
    """
    if isinstance(said, str):
        return {"name": said}
    if not isinstance(said, Mapping) or "name" not in said:
        raise StrategyError(f"a {noun} is a name, or a mapping with `name` and parameters; got {said!r}")
    return dict(said)


def made(noun: str, name: str, kind: type[_Kind], parameters: Mapping[str, Any]) -> _Kind:
    """Make one of that kind.

    Raises:
        StrategyError: a parameter is unknown, missing or wrong.
    """
    try:
        return cast(Callable[..., _Kind], kind)(**parameters)
    except ValidationError as error:
        known = list(cast(dict[str, Any], getattr(kind, "__pydantic_fields__", {})))
        raise StrategyError(f"{noun} {name!r}: {_first_fault(error, known)}") from error
    except (TypeError, ValueError) as error:
        raise StrategyError(f"{noun} {name!r}: wrong parameters: {error}") from error


def imported(where: str) -> Any:
    """Return what `module:name` names."""
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)


def plain(name: str) -> str:
    """Return the name as the tables spell it.

    >>> plain(" Delta-F ")
    'delta_f'
    """
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def _first_fault(error: ValidationError, known: list[str]) -> str:
    """Return the first thing that is wrong, in a sentence."""
    fault = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "unexpected_keyword_argument":
        near = get_close_matches(where, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}"
        return f"no parameter {where!r}; {hint}"
    if fault["type"] == "missing":
        return f"parameter {where!r} must be given"
    said = fault["msg"].removeprefix("Value error, ")
    return f"parameter {where!r}: {said[:1].lower()}{said[1:]}, got {fault['input']!r}"
