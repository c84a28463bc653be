"""`siftstream query`: a table, JSON or URIs on stdout; how many of how many on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from siftstream import Client
from siftstream.cli import app
from siftstream.cli.query import values_of
from siftstream.schemas import Selected
from siftstream.schemas.errors import ConfigError
from tests.connectors.client.stand_in import StandIn, score_of

FIVE = [f"s3://cats/{number}.png" for number in range(5)]


@pytest.fixture
def line(
    broker: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StandIn]:
    """A pipeline of its own on the shared broker, five samples in it."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker)
    monkeypatch.setenv("SIFTSTREAM_PIPELINE__NAME", topic_prefix)
    monkeypatch.delenv("SIFTSTREAM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    with StandIn(broker, topic_prefix) as running:
        with Client() as client:
            client.push_data(FIVE)
        yield running


def query(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["query", *words])
    assert result.exit_code == code, result.output
    return result


def test_parameters_are_json_or_text() -> None:
    assert values_of(["a=1", "b=x=y", "c=", "d=null"]) == {"a": 1, "b": "x=y", "c": "", "d": None}
    with pytest.raises(ConfigError, match="write key=value"):
        values_of(["a"])


@pytest.mark.kafka
def test_the_table_shows_the_best_first_and_stderr_says_how_many(line: StandIn) -> None:
    found = query("--budget", "3", "--strategy", "badge", "--parameter", "alpha=0.5")
    lines = found.stdout.splitlines()
    assert lines[0].split() == ["rank", "id", "score", "prediction", "URI"]
    scores = [score_of(words.split()[1]) for words in lines[1:]]
    assert scores == sorted(scores, reverse=True)
    assert [words.split()[0] for words in lines[1:]] == ["1", "2", "3"]
    assert {words.split()[-1] for words in lines[1:]} < set(FIVE)
    assert all("cat 0.60" in words for words in lines[1:])
    assert found.stderr == "3 of 3 samples, from 5 free\n"
    assert (line.queries[0].strategy, line.queries[0].parameters) == ("badge", {"alpha": 0.5})


@pytest.mark.kafka
def test_json_and_uris_are_for_pipes(line: StandIn) -> None:
    found = query("--budget", "2", "--json")
    samples = [Selected.decode(words.encode()) for words in found.stdout.splitlines()]
    assert [sample.rank for sample in samples] == [0, 1]
    rest = query("--budget", "10", "--uris")
    assert sorted([*rest.stdout.splitlines(), *(sample.uri for sample in samples)]) == FIVE
    assert rest.stderr == "3 of 10 samples, all that were free\n"
    assert query("--budget", "1").stdout == ""
    assert "choose one" in query("--budget", "1", "--json", "--uris", code=1).stderr


@pytest.mark.kafka
def test_a_query_that_nobody_answers_is_told_in_one_sentence(line: StandIn) -> None:
    line.silent = {2}
    told = query("--budget", "2", "--timeout", "1", code=1).stderr
    assert told == "no answer from partition 2 within 1 s: does `siftstream worker select` run?\n"
