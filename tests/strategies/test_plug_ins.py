"""A strategy from another distribution is found by its entry point and refused when it is none."""

from importlib.metadata import EntryPoint
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import Family, ScoreStrategy, Window, get_strategy, named, registry, strategy_names


@dataclass(frozen=True)
class Last(ScoreStrategy):
    """Take the highest keys."""

    name: ClassVar[str] = "last"
    family: ClassVar[Family] = Family.BASELINE
    cost: ClassVar[str] = "B"
    when: ClassVar[str] = "In tests."
    source: ClassVar[str] = "a test"
    bonus: float = Field(default=0.0, description="Added to every score.")

    def score(self, window: Window, rng: np.random.Generator) -> NDArray[np.float64]:
        return (window.keys_B % 1000).astype(np.float64) + self.bonus


@pytest.fixture(autouse=True)
def plug_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("last", f"{__name__}:Last", registry.GROUP),
        EntryPoint("margin", f"{__name__}:Last", registry.GROUP),
        EntryPoint("gone", "no_such_module_at_all:Thing", registry.GROUP),
        EntryPoint("wrong", "json:dumps", registry.GROUP),
    ]
    monkeypatch.setattr(EntryPoint, "load", lambda self: _load(self))  # this module may not be importable
    monkeypatch.setattr(named, "entry_points", lambda group: points if group == registry.GROUP else [])


def _load(point: EntryPoint) -> object:
    if point.name == "gone":
        raise ModuleNotFoundError("No module named 'no_such_module_at_all'")
    return Last if point.value.endswith(":Last") else print


def test_a_plug_in_is_named_and_made_with_its_parameters() -> None:
    assert strategy_names()[-3:] == ["gone", "last", "wrong"]
    strategy = get_strategy("last", bonus=2.0)
    window = Window(np.ones((4, 1, 1), np.float32), np.zeros((4, 0), np.float32))
    chosen = strategy.select(window, 2, np.random.default_rng(0))
    assert (chosen.indices.tolist(), chosen.scores.tolist()) == ([3, 2], [5.0, 4.0])


def test_a_plug_in_can_stand_inside_another_strategy() -> None:
    summed = get_strategy(
        "weighted_sum", strategies=[{"name": "last", "bonus": 1.0, "weight": 2.0}], scale="none"
    )
    window = Window(np.ones((4, 1, 1), np.float32), np.zeros((4, 0), np.float32))
    chosen = summed.select(window, 1, np.random.default_rng(0))
    assert (chosen.indices.tolist(), chosen.scores.tolist()) == ([3], [8.0])


def test_a_built_in_name_cannot_be_taken_over() -> None:
    assert not isinstance(get_strategy("margin"), Last)


@pytest.mark.parametrize(("name", "words"), [("gone", "does not load"), ("wrong", "is no subclass")])
def test_a_broken_plug_in_is_refused_by_name(name: str, words: str) -> None:
    with pytest.raises(StrategyError, match=words):
        get_strategy(name)
