"""A strategy from another distribution is found by its entry point and refused when it is none."""

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import ClassVar

import numpy as np
import pytest

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import Need, Selection, Strategy, Window, get_strategy, registry, strategy_names


@dataclass(frozen=True)
class Last(Strategy):
    """Take the newest rows."""

    name: ClassVar[str] = "last"
    needs: ClassVar[frozenset[Need]] = frozenset()
    source: ClassVar[str] = "a test"
    bonus: float = 0.0

    def choose(self, window: Window, k: int, rng: np.random.Generator) -> Selection:
        rows = np.arange(len(window) - 1, len(window) - 1 - k, -1, dtype=np.int64)
        return Selection(rows, rows + self.bonus)


@pytest.fixture(autouse=True)
def plug_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("last", f"{__name__}:Last", registry.GROUP),
        EntryPoint("margin", f"{__name__}:Last", registry.GROUP),
        EntryPoint("gone", "no_such_module_at_all:Thing", registry.GROUP),
        EntryPoint("wrong", "json:dumps", registry.GROUP),
    ]
    monkeypatch.setattr(EntryPoint, "load", lambda self: _load(self))  # this module may not be importable
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == registry.GROUP else [])


def _load(point: EntryPoint) -> object:
    if point.name == "gone":
        raise ModuleNotFoundError("No module named 'no_such_module_at_all'")
    return Last if point.value.endswith(":Last") else print


def test_a_plug_in_is_named_and_made_with_its_parameters() -> None:
    assert strategy_names()[-3:] == ["gone", "last", "wrong"]
    strategy = get_strategy("last", bonus=2.0)
    window = Window(np.ones((4, 1, 1), np.float32), np.zeros((4, 0), np.float32))
    assert strategy.select(window, 2, np.random.default_rng(0)).indices.tolist() == [3, 2]


def test_a_built_in_name_cannot_be_taken_over() -> None:
    assert not isinstance(get_strategy("margin"), Last)


@pytest.mark.parametrize(("name", "words"), [("gone", "does not load"), ("wrong", "is no subclass")])
def test_a_broken_plug_in_is_refused_by_name(name: str, words: str) -> None:
    with pytest.raises(StrategyError, match=words):
        get_strategy(name)
