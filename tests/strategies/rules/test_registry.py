"""Stream rules are found by name, made with parameters, and refused in a sentence."""

import pytest

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import Strategy, get_strategy
from siftstream.strategies.conformance import make_window
from siftstream.strategies.needs import Need
from siftstream.strategies.rules import RuleState, get_rule, rule_class, rule_names, rule_of
from siftstream.strategies.rules.split import Split


def test_each_rule_bears_the_name_it_is_registered_under() -> None:
    assert [rule_class(name).name for name in rule_names()] == rule_names()


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("BIQF", "balanced_incremental_quantile_filter"),
        ("dbalstream", "density_based"),
        ("random", "bernoulli"),
    ],
)
def test_an_alias_finds_its_rule(alias: str, name: str) -> None:
    assert get_rule(alias).name == name


def test_a_configuration_names_a_rule_with_its_parameters() -> None:
    assert rule_of({"name": "split", "budget": 0.3}) == Split(budget=0.3)
    assert rule_of(Split()) == rule_of("split")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("spilt", "stream rule 'spilt' is unknown; did you mean split?"),
        ("nothing_like_it_at_all", "`siftstream strategies` lists them"),
        ({"name": "split", "budget": 2.0}, "parameter 'budget': input should be less than or equal to 1"),
        ({"name": "split", "buget": 0.2}, "no parameter 'buget'; did you mean budget?"),
        ({"budget": 0.2}, "a stream rule is a name, or a mapping with `name`"),
        ({"name": "biqf", "score": "k_center"}, "k_center scores samples beside others"),
    ],
)
def test_what_is_no_rule_is_refused_with_a_hint(said: str | dict[str, object], words: str) -> None:
    with pytest.raises(StrategyError) as refused:
        rule_of(said)
    assert words in str(refused.value)


@pytest.mark.parametrize("name", ["split", "biqf", "Density-based"])
def test_a_rule_asked_for_among_the_strategies_says_where_it_is(name: str) -> None:
    with pytest.raises(StrategyError, match=r"is a stream rule .*siftstream\.strategies\.rules"):
        get_strategy(name)


def test_no_strategy_is_hidden_by_a_rules_alias() -> None:
    assert isinstance(get_strategy("random"), Strategy)


def test_the_quantile_filter_needs_what_its_score_needs() -> None:
    assert get_rule("biqf", score="egl").reads == {Need.GRADIENT}


def test_a_state_of_another_rule_is_refused() -> None:
    with pytest.raises(StrategyError, match="given the state of 'periodic'"):
        get_rule("bernoulli").decide(make_window(0, 2), RuleState("periodic", 1))
