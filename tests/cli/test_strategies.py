"""`siftstream strategies` lists them all and explains one."""

import pytest
from typer.testing import CliRunner

from siftstream.cli import app
from siftstream.strategies import strategy_names


def said(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["strategies", *words], env={"COLUMNS": "200"})
    return result.exit_code, result.output


def test_the_list_holds_every_strategy_by_family() -> None:
    code, output = said()
    assert code == 0
    lines = [line.split()[0] for line in output.splitlines() if line.strip()]
    assert set(strategy_names()) <= set(lines)
    assert "uncertainty" in lines


@pytest.mark.parametrize("name", ["margin", "Margin-Sampling"])
def test_one_is_explained_with_its_formula_parameters_and_yaml(name: str) -> None:
    code, output = said("show", name)
    assert code == 0
    for words in ("p(likeliest) - p(second)", "temperature", "default 1.0", "Scheffer", "name: margin"):
        assert words in output
    assert ">>>" not in output


@pytest.mark.parametrize("name", strategy_names())
def test_each_can_be_shown(name: str) -> None:
    code, output = said("show", name)
    assert code == 0
    assert name in output


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    code, output = said("show", "margn")
    assert code == 1
    assert "did you mean margin" in output
