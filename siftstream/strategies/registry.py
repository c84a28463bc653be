"""Strategies by name: the built-in ones, and plug-ins from the entry point group `siftstream.strategies`."""

from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from siftstream.schemas.errors import StrategyError
from siftstream.strategies.base import Strategy
from siftstream.strategies.entropy import Entropy
from siftstream.strategies.k_center import KCenter
from siftstream.strategies.least_confidence import LeastConfidence
from siftstream.strategies.margin import Margin
from siftstream.strategies.uniform import Random

GROUP: Final = "siftstream.strategies"
BUILT_IN: Final[dict[str, type[Strategy]]] = {
    kind.name: kind for kind in (Random, LeastConfidence, Margin, Entropy, KCenter)
}


def strategy_names() -> list[str]:
    """Return every name that `get_strategy` knows, built-in ones first.

    >>> strategy_names()[:5]
    ['random', 'least_confidence', 'margin', 'entropy', 'k_center']
    """
    return [*BUILT_IN, *sorted(_plug_ins())]


def get_strategy(name: str, **params: Any) -> Strategy:
    """Make the strategy of that name; hyphens and underscores are the same, a built-in name wins.

    >>> get_strategy("k-center")
    KCenter()

    Raises:
        StrategyError: the name is unknown, a parameter is wrong, or a plug-in does not load.
    """
    wanted = name.strip().lower().replace("-", "_")
    kind = BUILT_IN.get(wanted)
    if kind is None and (plug_in := _plug_ins().get(wanted)):
        kind = _load(plug_in)
    if kind is None:
        names = strategy_names()
        near = get_close_matches(wanted, names, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names)}"
        raise StrategyError(f"strategy {name!r} is unknown; {hint}")
    try:
        return kind(**params)
    except (TypeError, ValueError) as error:
        raise StrategyError(f"strategy {name!r}: wrong parameters: {error}") from error


def _plug_ins() -> dict[str, EntryPoint]:
    found = {point.name.lower().replace("-", "_"): point for point in entry_points(group=GROUP)}
    return {name: point for name, point in found.items() if name not in BUILT_IN}


def _load(point: EntryPoint) -> type[Strategy]:
    try:
        kind = point.load()
    except Exception as error:  # a plug-in may fail in any way while it is imported
        raise StrategyError(f"strategy plug-in {point.value!r} does not load: {error}") from error
    if not (isinstance(kind, type) and issubclass(kind, Strategy)):
        raise StrategyError(
            f"strategy plug-in {point.value!r} is no subclass of siftstream.strategies.Strategy"
        )
    return kind
