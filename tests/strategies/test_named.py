"""Plug-ins of stream rules and stopping rules are found by entry point, and refused when they are none."""

from importlib.metadata import EntryPoint

import pytest

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import named
from siftstream.strategies.rules import get_rule, rule_names
from siftstream.strategies.rules.registry import GROUP
from siftstream.strategies.stopping import stopping_names

PERIODIC = "siftstream.strategies.rules.periodic:Periodic"


@pytest.fixture(autouse=True)
def plug_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("own-rule", PERIODIC, GROUP),
        EntryPoint("split", PERIODIC, GROUP),
        EntryPoint("gone", "no_such_module_at_all:Thing", GROUP),
        EntryPoint("wrong", "json:dumps", GROUP),
    ]
    monkeypatch.setattr(named, "entry_points", lambda group: points if group == GROUP else [])


def test_a_plug_in_is_named_and_made_with_its_parameters() -> None:
    assert rule_names()[-3:] == ["gone", "own_rule", "wrong"]
    assert get_rule("own_rule", budget=0.5).budget == 0.5
    assert "own_rule" not in stopping_names()


def test_a_built_in_name_cannot_be_taken_over() -> None:
    assert get_rule("split").name == "split"


@pytest.mark.parametrize(("name", "words"), [("gone", "does not load"), ("wrong", "is no subclass")])
def test_a_broken_plug_in_is_refused_by_name(name: str, words: str) -> None:
    with pytest.raises(StrategyError, match=words):
        get_rule(name)
