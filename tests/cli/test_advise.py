"""`siftstream advise`: by options, by a file, by questions at a terminal."""

from __future__ import annotations

from inspect import signature
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from siftstream.cli import advise, app
from siftstream.settings.advice import QUESTIONS


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "SIFTSTREAM_CONFIG", "SIFTSTREAM_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


def run(*words: str, code: int = 0, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(app, ["advise", *words], input=stdin)
    assert result.exit_code == code, result.output
    return result


def test_without_a_terminal_the_defaults_answer_and_it_says_so() -> None:
    result = run("--batch", "50")
    assert yaml.safe_load(result.stdout)["select"]["strategy"]["name"] == "two_stage"
    assert "nobody to ask (no terminal), so defaults: task classes, source stream" in result.stderr
    assert "batch" not in result.stderr


def test_yes_asks_nothing_at_a_terminal_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advise, "can_ask", lambda: True)
    result = run("--yes")
    assert result.stderr.startswith("defaults: task classes")


def test_the_file_written_is_a_valid_configuration_and_is_never_overwritten_by_chance(tmp_path: Path) -> None:
    told = run("--yes", "--uneven", "-o", "select.yaml").stdout
    assert told == "select.yaml written: `siftstream config check -c select.yaml` checks it\n"
    checked = CliRunner().invoke(app, ["config", "check", "-c", "select.yaml"])
    assert "strategy two_stage" in checked.stdout, checked.output
    assert "is there already: --force" in run("--yes", "-o", "select.yaml", code=1).stderr
    run("--yes", "--explain", "-o", "select.yaml", "--force")
    assert "name: margin" in (tmp_path / "select.yaml").read_text()
    assert "cannot be written" in run("--yes", "-o", "no/folder.yaml", code=1).stderr


def test_a_labelled_file_answers_and_the_figure_stands_in_the_comment(tmp_path: Path) -> None:
    (tmp_path / "seen.csv").write_text("label\n" + "cat\n" * 90 + "dog\n" * 10)
    result = run("--yes", "--labelled", "seen.csv")
    assert "read off seen.csv: uneven yes: 90 of 100 are cat, 10 dog" in result.stderr
    assert "classes 10" not in result.stderr
    assert "In your file: 90 of 100 are cat, 10 dog." in " ".join(result.stdout.replace("#", "").split())


def test_an_option_beats_the_file_and_its_figure_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "seen.csv").write_text("label\n" + "cat\n" * 90 + "dog\n" * 10)
    result = run("--yes", "--labelled", "seen.csv", "--even")
    assert "class_weight" not in result.stdout
    assert "In your file" not in result.stdout
    assert "uneven" not in result.stderr


def test_at_a_terminal_it_asks_what_matters_and_asks_again_where_the_answer_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(advise, "can_ask", lambda: True)
    said = {"source": "pool", "samples": "10,000", "total": "400", "batch": "5000\n8", "model": "yes"}
    said |= {"explain": "maybe\ny"}
    asked = [name for name in QUESTIONS if name not in ("drift", "column")]
    result = run(stdin="".join(said.get(name, "") + "\n" for name in asked))
    assert "batch: input should be less than or equal to 1000; got '5000'" in result.stderr
    assert "explain: input should be a valid boolean" in result.stderr
    assert "change by the hour" not in result.stderr  # a pool does not drift
    select = yaml.safe_load(result.stdout)["select"]
    assert select["strategy"]["name"] == "margin"
    assert select["budget"] == {"per_round": 8, "total": 400}
    assert select["window"] == {"size": 10_000}


def test_questions_that_options_answered_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advise, "can_ask", lambda: True)
    asked = run("--task", "score", "--column", "sigma", stdin="\n" * 20).stderr
    assert "What does the model say" not in asked
    assert "Which number in the samples' metadata" not in asked
    assert "How many members" not in asked  # of no use to a score
    assert "How many labels can people give" in asked


def test_a_wrong_answer_is_refused_in_a_sentence() -> None:
    words = run("--batch", "0", code=1).stderr
    assert words == "batch: input should be greater than or equal to 1; got 0\n"
    assert "is not one of" in run("--task", "classification", code=2).stderr


def test_every_question_is_an_option_of_its_name() -> None:
    assert set(QUESTIONS) <= set(signature(advise.advise).parameters)


def test_the_example_in_the_documentation_is_what_the_command_writes(tmp_path: Path) -> None:
    (tmp_path / "seen.csv").write_text("label\n" + "ham\n" * 900 + "spam\n" * 100)
    page = (Path(__file__).parents[2] / "docs" / "advise.md").read_text()
    command, told, *_ = page.partition("$ siftstream ")[2].splitlines()
    result = run(*command.split()[1:])
    assert result.stderr.startswith(told)
    assert page.partition("```yaml\n")[2].partition("```")[0] == result.stdout
