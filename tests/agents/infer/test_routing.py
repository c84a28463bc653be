"""Canaries score their share of the samples, the same ones for ever, and the main line the rest."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from siftstream.agents.infer.routing import Routing, taken_by
from siftstream.agents.infer.scoring import score
from siftstream.agents.infer.settings import InferSettings, LineSettings
from siftstream.schemas import Scores, share_of
from siftstream.schemas.errors import ConfigError
from siftstream.settings.load import settings_from
from tests.agents.infer.parts import (
    NAN,
    FakeModel,
    decoded,
    deployed,
    reasons_in,
    record,
    versions_in,
)

IDS = [f"sample-{number}" for number in range(4_000)]


def canary(line: str, share: float) -> LineSettings:
    return LineSettings(line=line, mode="canary", share=share)


def routing(*canaries: tuple[str, float], without: tuple[str, ...] = ()) -> Routing:
    made: list[Any] = [
        (canary(line, share), deployed(None if line in without else FakeModel(f"{line}-1"), line))
        for line, share in canaries
    ]
    return Routing(deployed(FakeModel("main-1")), made)


def lines(routes: Routing, ids: list[str]) -> dict[str, list[int]]:
    return {deployment.line: which.tolist() for deployment, which in routes(ids)}


def test_without_canaries_the_main_line_scores_everything_unhashed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("siftstream.agents.infer.routing.share_of", None)  # calling it would raise
    assert lines(routing(), ["a", "b"]) == {"main": [0, 1]}


def test_a_canary_takes_its_share_by_the_hash_that_everybody_can_compute() -> None:
    taken = lines(routing(("next", 0.1)), IDS)
    assert taken["next"] == [row for row, name in enumerate(IDS) if share_of(name, "next") < 0.1]
    assert 320 < len(taken["next"]) < 480


@given(st.lists(st.floats(0.05, 0.5), min_size=1, max_size=4).filter(lambda shares: sum(shares) <= 1))
def test_every_sample_goes_to_exactly_one_line(shares: list[float]) -> None:
    named = [(f"line-{number}", share) for number, share in enumerate(shares)]
    taken = lines(routing(*named), IDS[:500])
    assert sorted(row for which in taken.values() for row in which) == list(range(500))
    assert all(which == sorted(which) for which in taken.values())


def test_several_canaries_each_get_their_share_of_all() -> None:
    taken = lines(routing(("a", 0.5), ("b", 0.3), ("c", 0.2)), IDS)
    sizes = {line: len(which) / len(IDS) for line, which in taken.items()}
    assert sizes == pytest.approx({"a": 0.5, "b": 0.3, "c": 0.2}, abs=0.04)  # and nothing is left for main
    assert taken["a"] == lines(routing(("a", 0.5)), IDS)["a"]  # the first is not moved by those after it


def test_the_share_of_a_canary_without_a_version_is_the_main_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    routes = routing(("a", 0.2), ("b", 0.3), without=("a",))
    taken = lines(routes, IDS)
    assert taken["b"] == lines(routing(("a", 0.2), ("b", 0.3)), IDS)["b"]
    assert taken["main"] == sorted(set(range(len(IDS))) - set(taken["b"]))
    lines(routes, IDS)
    assert [entry.getMessage() for entry in caplog.records] == [
        "canary a has no live version yet: the main line scores its share"
    ]


def test_a_micro_batch_of_both_lines_becomes_two_records_on_its_partition() -> None:
    routes = routing(("next", 0.5))
    batch = record(0, list(range(100)), partition=3)
    work = score(routes, decoded(batch))
    told = versions_in([work])
    assert {out.partition for out in work.outputs} == {3}
    assert [Scores.decode(out.value).line for out in work.outputs] == ["main", "next"]
    assert len(told) == 100
    for name, (line, version) in told.items():
        assert (line, version) == (("next", "next-1") if share_of(name, "next") < 0.5 else ("main", "main-1"))


def test_bad_samples_of_a_canarys_share_are_dead_letters_alone() -> None:
    work = score(routing(("next", 0.5)), decoded(record(0, [NAN] + [1] * 20), record(1, [NAN])))
    assert reasons_in([work]).keys() == {"0-0-0", "0-1-0"}
    assert len(versions_in([work])) == 20


def test_shares_are_counted_by_line() -> None:
    counted: Counter[str] = Counter()

    def count(line: str, number: float) -> None:
        counted[line] += int(number)

    main: Any = FakeModel()
    other: Any = FakeModel()
    Routing(deployed(main), [(canary("all", 1.0), deployed(other, "all"))], count)(IDS)
    assert counted == {"all": len(IDS)}


def test_a_share_of_one_takes_every_sample() -> None:
    assert taken_by("x", 1.0, IDS).all()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([canary("a", 0.6), canary("b", 0.5)], "the canaries' shares sum to 1.1; at most 1"),
        ([canary("a", 0.6), LineSettings(line="a", mode="shadow")], "a line stands there twice"),
    ],
)
def test_lines_that_do_not_fit_together_are_refused(lines: list[LineSettings], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        InferSettings(lines=tuple(lines))


def test_ten_canaries_of_a_tenth_fit_and_a_shadow_takes_nothing_away() -> None:
    shadow = LineSettings(line="s", mode="shadow")
    assert InferSettings(lines=(*(canary(str(n), 0.1) for n in range(10)), shadow))


def test_the_pipelines_own_line_beside_itself_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"infer.lines: main is the pipeline's own line"):
        settings_from({"infer": {"lines": [{"line": "main", "mode": "shadow"}]}})
