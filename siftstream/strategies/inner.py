"""A strategy as a parameter of another: a field of type `Inner` takes a name, or a name with parameters.

A field of type `Scoring` takes those that score each sample by itself.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, InstanceOf

from siftstream.schemas.errors import StrategyError
from siftstream.strategies.needs import Need
from siftstream.strategies.registry import strategy_of
from siftstream.strategies.strategy import ScoreStrategy, Strategy


def scoring_of(said: Strategy | str | Mapping[str, Any]) -> ScoreStrategy:
    """Make the strategy that a configuration says, which must score each sample by itself.

    Raises:
        StrategyError: it says no strategy, or one that chooses a batch as a whole.
    """
    strategy = strategy_of(said)
    if isinstance(strategy, ScoreStrategy):
        return strategy
    raise StrategyError(
        f"{strategy.name} chooses a batch as a whole and has no score of each sample;"
        " name one that scores, such as margin or bald"
    )


Inner = Annotated[InstanceOf[Strategy], BeforeValidator(strategy_of)]
Scoring = Annotated[InstanceOf[ScoreStrategy], BeforeValidator(scoring_of)]


def said_with(said: Any, beside: str) -> Any:
    """Return `{strategy: ...}` for an entry of a list, with what it says of `beside` parted from that.

    An entry is a name, a strategy, a mapping of `name`, parameters and `beside`, or parted already.

    >>> said_with({"name": "margin", "temperature": 2.0, "weight": 3}, "weight")
    {'strategy': {'name': 'margin', 'temperature': 2.0}, 'weight': 3}
    """
    if isinstance(said, str | Strategy):
        return {"strategy": said}
    if not isinstance(said, Mapping) or ("name" not in said and "strategy" in said):
        return said
    rest = {str(key): value for key, value in said.items() if key != beside}
    return {"strategy": rest} | ({beside: said[beside]} if beside in said else {})


def all_reads(strategies: Iterable[Strategy]) -> frozenset[Need]:
    """Return what any of the strategies reads.

    >>> from siftstream.strategies import get_strategy
    >>> [need.value for need in all_reads([get_strategy("random"), get_strategy("margin")])]
    ['probs']
    """
    return frozenset[Need]().union(*(strategy.reads for strategy in strategies))


def told_apart(strategies: Iterable[Strategy]) -> tuple[str, ...]:
    """Return a name of each strategy that no other of them has: the second margin is `margin#2`.

    >>> from siftstream.strategies import get_strategy
    >>> told_apart([get_strategy("margin"), get_strategy("random"), get_strategy("margin", temperature=2.0)])
    ('margin', 'random', 'margin#2')
    """
    seen: dict[str, int] = {}
    names: list[str] = []
    for strategy in strategies:
        seen[strategy.name] = seen.get(strategy.name, 0) + 1
        names.append(f"{strategy.name}#{seen[strategy.name]}" if seen[strategy.name] > 1 else strategy.name)
    return tuple(names)
