"""The commands as a whole: found lazily, told in sentences."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module, util
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from siftstream.cli import COMMANDS, app
from siftstream.cli.told import told

THERE = [name for name in COMMANDS if util.find_spec(f"siftstream.cli.{name}")]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "SIFTSTREAM_CONFIG", "SIFTSTREAM_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def run(*words: str, code: int = 0, stdin: str | None = None) -> str:
    result = CliRunner().invoke(app, list(words), input=stdin)
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr


def test_the_list_of_commands_imports_none_of_them() -> None:
    code = (
        "import sys; from siftstream.cli import app; from typer.testing import CliRunner;"
        "result = CliRunner().invoke(app, ['--help']); assert 'worker' in result.stdout, result.output;"
        "heavy = {'faust', 'aiokafka', 'kafka', 'onnxruntime', 'yaml'} & set(sys.modules);"
        "sys.exit(' '.join(heavy) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("name", THERE)
def test_a_commands_help_line_is_its_first_sentence(name: str) -> None:
    thing = getattr(import_module(f"siftstream.cli.{name}"), name)
    words = thing.__doc__ if callable(thing) and not hasattr(thing, "registered_callback") else None
    if words is None:
        words = thing.registered_callback.callback.__doc__
    assert words.strip().split("\n")[0] == COMMANDS[name]


@pytest.mark.parametrize("name", THERE)
def test_every_command_shows_its_help(name: str) -> None:
    assert "--help" in run(name, "--help")


def test_a_mistyped_command_gets_a_suggestion() -> None:
    assert "Did you mean 'worker'?" in run("workr", code=2)


def test_an_unknown_stage_is_told_with_the_known_ones() -> None:
    words = run("worker", "ftch", code=1)
    assert words == "there is no stage 'ftch'; the stages are fetch, infer, select, consensus, retrain\n"


@pytest.mark.parametrize(
    "words",
    [("worker", "fetch"), ("push", "x.png"), ("tail", "scores"), ("topics",), ("status",), ("oracle",)],
)
def test_without_a_cluster_each_command_says_what_to_do(words: tuple[str, ...]) -> None:
    assert "no Kafka is known: run `siftstream up` in this folder" in run(*words, code=1)


def test_a_local_broker_that_is_gone_is_told(tmp_path: Path) -> None:
    (tmp_path / ".siftstream").mkdir()
    (tmp_path / ".siftstream" / "bootstrap").write_text("127.0.0.1:1\n")
    words = run("topics", code=1)
    assert "nothing listens on 127.0.0.1:1" in words
    assert "start it again" in words


def test_a_cluster_that_is_not_there_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    assert "nothing listens on 127.0.0.1:1: is Kafka up" in run("status", code=1)


def test_a_replica_count_for_no_stage_is_refused() -> None:
    assert "--replicas: there is no stage 'ifner'" in run("up", "--replicas", "ifner=2", code=1)


def test_an_unforeseen_error_is_one_line_that_says_how_to_see_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(Exception, match="1") as raised, told():
        raise KeyError("boom")
    assert type(raised.value).__name__ == "Exit"
    assert capsys.readouterr().err == "KeyError: 'boom'; SIFTSTREAM_DEBUG=1 shows where\n"


def test_an_unforeseen_error_is_raised_when_debugging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIFTSTREAM_DEBUG", "1")
    with pytest.raises(KeyError), told():
        raise KeyError("boom")


def test_init_then_check_then_show() -> None:
    run("config", "init")
    told = run("config", "check")
    assert told.startswith("valid: 2 classes (no, yes), image uint8 3x32x32, strategy two_stage")
    assert yaml.safe_load(run("config", "show"))["pipeline"] == {"name": "", "partitions": 4}
    assert "is there already: --force" in run("config", "init", code=1)
    run("config", "init", "--force")


def test_init_writes_to_standard_output_too() -> None:
    assert yaml.safe_load(run("config", "init", "-"))["classes"] == ["no", "yes"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "select: {strategy: {name: margn}}",
            "select.strategy.name: strategy 'margn' is unknown; did you mean",
        ),
        ("select: {strategy: {cold_start: x}}", "select.strategy.cold_start: strategy 'x' is unknown"),
        ("transform: {kind: imge}", "transform.kind: 'imge' is unknown; did you mean image?"),
        (
            "kafka: {security_protocol: SSL, ssl_cafile: /no/ca.pem}",
            "(/no/ca.pem) cannot be used",
        ),
    ],
)
def test_check_finds_what_the_models_cannot(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    assert sentence in run("config", "check", "-c", "bad.yaml", code=1)
    assert sentence in run("up", "-c", "bad.yaml", code=1)


def test_show_masks_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIFTSTREAM_KAFKA__SASL_PASSWORD", "open sesame")
    shown = run("config", "show")
    assert "sesame" not in shown
    assert yaml.safe_load(shown)["kafka"]["sasl_password"] == "**********"


def test_the_schema_is_one_that_editors_read() -> None:
    schema = yaml.safe_load(run("config", "schema"))
    assert schema["properties"]["classes"]["description"].startswith("Names of the classes")
