"""The benchmark of select: a tiny run of it, and that its stream is one that a window takes in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.select import main
from benchmarks.selecting.one import measured
from benchmarks.selecting.stream import EACH, Stream, chosen_before, id_of
from benchmarks.zoo.made_up import Shape, write
from siftstream.agents.select.settings import SelectSettings
from siftstream.schemas import Scores


@pytest.fixture
def stream(tmp_path: Path) -> Stream:
    write(tmp_path / "pool.npz", Shape(2 * EACH, 1, members=2, dim=8))
    return Stream(tmp_path / "pool.npz")


def test_records_repeat_their_numbers_and_never_their_ids(stream: Stream) -> None:
    first, again = (Scores.decode(stream.value(offset)) for offset in (1, 3))
    assert (first.probs == again.probs).all()
    assert list(first.sample_ids) == [id_of(EACH + row) for row in range(EACH)]
    assert not set(first.sample_ids) & set(again.sample_ids)


def test_what_was_chosen_before_are_samples_of_its_rounds() -> None:
    ids = {id_of(sample): sample for sample in range(2_500)}
    before = list(chosen_before(2_500, 1_000, 20))
    assert [one.round for one in before] == [0] * 20 + [1] * 20
    assert all(ids[one.sample_id] // 1_000 == one.round for one in before)


def test_a_full_window_takes_in_samples_and_holds_its_rounds(stream: Stream) -> None:
    settings = SelectSettings.model_validate({"window": {"size": 2_000}, "strategy": {"name": "margin"}})
    found = measured(stream, settings, samples=3_000, limit=60.0)
    assert found["filled"] == 2_000
    assert found["samples"] == -(-3_000 // EACH) * EACH
    rounds = (2_048 + found["samples"]) // 1_000 - 2
    assert len(found["rounds"]) == rounds
    assert sum(found["chose"].values()) == 20 * rounds
    assert found["memory"]["arrays"] > 2_000 * (2 * 10 * 4 + 8 * 2)
    assert "round" not in found["fill"]  # what was chosen before is not chosen again


def test_a_tiny_run_gives_figures_of_every_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--windows", "500", "--strategies", "margin", "no_such_thing", "--samples", "1000"]
    words += ["--rounds", "1", "--dim", "8", "--parts", "through,memory"]
    figures = main([*words, "--json", str(tmp_path / "select.json")])
    margin, unknown = figures["alone"]
    assert margin["lives"][0]["chose"]["strategy: margin"] > 0
    assert "no_such_thing" in unknown["ended"]
    assert json.loads((tmp_path / "select.json").read_text())["alone"] == figures["alone"]
    shown = capsys.readouterr().out
    assert "records in memory" in shown
    assert "memory of a full window" in shown
