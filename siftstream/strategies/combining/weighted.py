"""A strategy with a weight, as a parameter: a name, or a mapping with `name`, parameters and `weight`.

`{strategy: {...}, weight: 2}` serves where a strategy has a parameter `weight` itself.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.inner import Inner, said_with


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Weighted:
    """A strategy and how much it counts."""

    strategy: Inner
    weight: float = Field(default=1.0, gt=0.0, allow_inf_nan=False)


def _weighted(said: Any) -> Any:
    return said_with(said, "weight")


WeightedInner = Annotated[Weighted, BeforeValidator(_weighted)]
