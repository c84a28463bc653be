"""Strategies are found by their names, and a wrong name or parameter is refused with what is near."""

import pytest

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import get_strategy, strategy_class, strategy_names, strategy_of
from siftstream.strategies.registry import ALIASES, BUILT_IN


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("marginn", r"'marginn' is unknown; did you mean margin"),
        ("entropie", r"did you mean entropy"),
        ("zzz", r"'zzz' is unknown; `siftstream strategies` lists them"),
        ("nothing:Badge", r"'nothing:Badge' is unknown"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_names(name: str, words: str) -> None:
    with pytest.raises(StrategyError, match=words):
        get_strategy(name)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"beta": 3}, r"'margin': no parameter 'beta'; it has temperature, class_weight"),
        ({"temprature": 3}, r"no parameter 'temprature'; did you mean temperature\?"),
        ({"temperature": 0}, r"parameter 'temperature': .*greater than 0.*got 0"),
        ({"class_weight": "heavy"}, r"parameter 'class_weight': .*balanced.*got 'heavy'"),
    ],
)
def test_a_wrong_parameter_is_refused_with_what_is_right(parameters: dict[str, object], words: str) -> None:
    with pytest.raises(StrategyError, match=words):
        get_strategy("margin", **parameters)


def test_a_parameter_without_default_must_be_given() -> None:
    with pytest.raises(StrategyError, match=r"'stratified_by_metadata': parameter 'key' must be given"):
        get_strategy("stratified_by_metadata")


@pytest.mark.parametrize("said", [3, None, ["margin"], {"temperature": 2.0}])
def test_what_says_no_strategy_is_refused(said: object) -> None:
    with pytest.raises(StrategyError, match="a strategy is a name, or a mapping with `name`"):
        strategy_of(said)  # type: ignore[arg-type]


def test_a_strategy_is_said_by_a_name_or_with_its_parameters_or_is_one_already() -> None:
    tempered = get_strategy("margin", temperature=2.0)
    assert strategy_of("margin") == get_strategy("margin")
    assert strategy_of({"name": "Margin", "temperature": 2}) == tempered
    assert strategy_of(tempered) is tempered


@pytest.mark.parametrize("name", strategy_names())
def test_every_class_says_the_name_that_it_is_found_by(name: str) -> None:
    assert strategy_class(name).name == name


def test_aliases_lead_to_strategies_and_hide_none() -> None:
    assert set(ALIASES.values()) <= set(BUILT_IN)
    assert not set(ALIASES) & set(BUILT_IN)
