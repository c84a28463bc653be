"""The advice: every answer leads to settings that load, and to the strategy that the trials speak for."""

from __future__ import annotations

import json
import re
from itertools import product
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from siftstream.agents.select.rounds import Rounds
from siftstream.agents.select.settings import SelectSettings
from siftstream.settings import Settings
from siftstream.settings.advice import QUESTIONS, Answers, advised
from siftstream.settings.advice.questions import choices
from siftstream.settings.advice.rules import RULES
from siftstream.settings.advice.written import written
from siftstream.settings.check import check

YES_NO = (False, True)
COLD = {"entropy", "least_confidence", "k_center"}


def strategy(**answers: Any) -> dict[str, Any]:
    return advised(Answers(**answers)).select["strategy"]


def every_strategy() -> dict[str, dict[str, Any]]:
    """Each section that any answers lead to, with one set of answers that does."""
    of_classes = {
        "task": ("classes",), "cost": ("cheap", "expensive"), "uneven": YES_NO,
        "calibrated": ("yes", "no"), "members": (1, 4), "dim": (0, 512, 4_096),
        "compute": ("low", "normal", "high"),
        "explain": YES_NO, "drift": YES_NO, "noisy": YES_NO, "batch": (1, 10, 100), "classes": (2, 500),
    }  # fmt: skip
    others = {
        "task": ("multi-label", "sequence", "score"), "cost": ("cheap", "expensive"), "dim": (0, 512),
        "classes": (2, 500), "uneven": YES_NO, "explain": YES_NO, "members": (1, 4),
    }  # fmt: skip
    found: dict[str, dict[str, Any]] = {}
    for asked in (of_classes, others):
        for values in product(*asked.values()):
            section = strategy(**dict(zip(asked, values, strict=True)))
            found.setdefault(json.dumps(section, sort_keys=True), section)
    return found


def test_every_advice_loads_and_its_strategies_can_be_made() -> None:
    sections = every_strategy()
    assert len(sections) > 20
    for section in sections.values():
        select = SelectSettings.model_validate({"strategy": section})
        check(Settings(select=select))
        Rounds(select, ("a", "b"), "untrained")


def test_no_advice_names_what_loses_while_the_model_is_young() -> None:
    for words in every_strategy():
        assert not COLD & set(re.findall(r'"(\w+)"', words)), words


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "task": st.sampled_from(choices("task")), "source": st.sampled_from(choices("source")),
    "samples": st.integers(1, 10_000_000_000), "labels_a_day": st.integers(1, 100_000_000),
    "total": st.integers(0, 1_000_000_000), "batch": st.integers(1, 1_000),
    "cost": st.sampled_from(choices("cost")), "model": st.booleans(), "classes": st.integers(2, 1_000_000),
    "uneven": st.booleans(), "calibrated": st.sampled_from(choices("calibrated")),
    "members": st.integers(1, 1_000), "dim": st.integers(0, 1_000_000),
    "compute": st.sampled_from(choices("compute")), "explain": st.booleans(), "drift": st.booleans(),
    "noisy": st.booleans(), "unseen": st.booleans(), "partitions": st.integers(1, 100_000),
    "column": st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1),
}  # fmt: skip


def test_every_question_is_an_answer_and_the_other_way_round() -> None:
    assert set(QUESTIONS) == set(Answers.model_fields) == set(FIELDS)


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries(FIELDS))
def test_whatever_is_answered_the_yaml_says_the_same_with_a_reason_above_each_setting(
    said: dict[str, Any],
) -> None:
    answers = Answers(**said)
    advice = advised(answers)
    text = written(advice)
    assert yaml.safe_load(text) == {"select": advice.select}
    select = SelectSettings.model_validate(advice.select)
    assert select.budget.per_round <= select.window.size
    assert select.budget.per_round <= answers.batch
    lines = text.splitlines()
    reasons = [
        lines[at - 1].strip().startswith("# ")
        for at, line in enumerate(lines)
        if not line.strip().startswith("#") and not line.endswith(":")
    ]
    assert len(reasons) == len(advice.lines)
    assert all(reasons)


@pytest.mark.parametrize(
    ("answers", "name"),
    [
        ({}, "two_stage"),
        ({"explain": True}, "margin"),
        ({"compute": "low"}, "margin"),
        ({"batch": 2}, "margin"),
        ({"dim": 0}, "margin"),
        ({"dim": 0, "classes": 500}, "ratio"),
        ({"cost": "expensive"}, "two_stage"),
        ({"cost": "expensive", "compute": "high"}, "badge"),
        ({"cost": "expensive", "compute": "high", "noisy": True}, "two_stage"),
        ({"cost": "expensive", "compute": "high", "calibrated": "no"}, "two_stage"),
        ({"members": 5, "batch": 10}, "bald"),
        ({"members": 5, "batch": 100}, "power_bald"),
        ({"members": 5, "batch": 100, "uneven": True}, "two_stage"),
        ({"members": 5, "batch": 100, "drift": True}, "two_stage"),
        ({"members": 5, "batch": 100, "drift": True, "source": "pool"}, "power_bald"),
        ({"members": 5, "explain": True}, "margin"),
        ({"members": 5, "batch": 2, "calibrated": "no"}, "margin"),
        ({"task": "multi-label"}, "bin_min"),
        ({"task": "multi-label", "classes": 300}, "mean_max_loss"),
        ({"task": "multi-label", "cost": "expensive"}, "mean_max_loss"),
        ({"task": "sequence"}, "score_column"),
        ({"task": "score", "explain": True}, "score_column"),
    ],
)
def test_the_strategy_follows_the_answers(answers: dict[str, Any], name: str) -> None:
    assert strategy(**answers)["name"] == name


def test_uneven_classes_are_weighed_wherever_doubt_is_measured() -> None:
    assert strategy(uneven=True)["parameters"] == {
        "uncertainty": {"name": "margin", "class_weight": "balanced"}, "diversity": "k_means",
    }  # fmt: skip
    assert strategy(uneven=True, explain=True)["parameters"] == {"class_weight": "balanced"}
    assert "parameters" not in strategy(uneven=True, task="multi-label")


def test_very_wide_embeddings_are_projected_before_anything_is_spread_over_them() -> None:
    projected = {"name": "random_projection", "strategy": "k_means", "dim": 256}
    assert strategy(dim=4_096)["parameters"] == {"uncertainty": "margin", "diversity": projected}
    assert strategy(dim=4_096)["cold_start"] == projected | {"strategy": "typiclust"}
    assert strategy(dim=4_096, compute="low")["cold_start"] == "k_means"


def test_the_column_of_scores_is_the_one_that_was_named() -> None:
    assert strategy(task="score", column="sigma")["parameters"] == {"column": "sigma"}


@pytest.mark.parametrize(
    ("answers", "name"),
    [
        ({}, "typiclust"),
        ({"model": True}, "typiclust"),
        ({"compute": "low"}, "k_means"),
        ({"dim": 0}, "random"),
    ],
)
def test_the_start_is_by_embeddings_where_there_are_any(answers: dict[str, Any], name: str) -> None:
    assert strategy(**answers)["cold_start"] == name


def test_rounds_come_as_often_as_people_can_label() -> None:
    select = advised(Answers(samples=1_000_000, labels_a_day=1_000, batch=50)).select
    assert select["budget"] == {"per_round": 50}
    assert select["trigger"] == {"every": 50_000}  # 20 rounds of 50 a day
    assert select["window"] == {"size": 50_000}


def test_dear_labels_come_in_small_batches_more_often() -> None:
    dear = advised(Answers(samples=1_000_000, labels_a_day=1_000, batch=100, cost="expensive"))
    assert dear.select["budget"] == {"per_round": 20}
    assert dear.select["trigger"] == {"every": 20_000}


def test_where_what_comes_changes_the_window_is_small_but_never_starves() -> None:
    slow: dict[str, Any] = {"samples": 2_000, "labels_a_day": 500, "batch": 100}
    assert advised(Answers(**slow)).select["window"] == {"size": 5_000}
    assert advised(Answers(**slow, drift=True)).select["window"] == {"size": 1_500}
    few = Answers(samples=2_000, labels_a_day=500, batch=5, drift=True)
    assert advised(few).select["window"] == {"size": 600}


@pytest.mark.parametrize("total", [100, 5_000])
def test_each_partition_of_a_pool_gets_its_rounds_before_the_pool_ends(total: int) -> None:
    select = advised(Answers(source="pool", samples=50_000, total=total, batch=20, partitions=8)).select
    rounds = 50_000 // 8 // select["trigger"]["every"]
    assert rounds >= 2
    assert 8 * rounds * 20 >= 0.9 * total
    assert select["budget"]["total"] == total
    assert select["window"]["size"] == 50_000


def test_kinds_that_nobody_labelled_are_left_to_a_larger_audit_slice() -> None:
    assert advised(Answers()).select["audit"] == {"fraction": 0.1}
    assert advised(Answers(unseen=True)).select["audit"] == {"fraction": 0.2}


def test_a_figure_of_the_file_is_named_once_where_a_rule_rests_on_it() -> None:
    advice = advised(Answers(uneven=True), {"uneven": "90 of 100 are cat", "classes": "2 classes"})
    reasons = " ".join(line.because for line in advice.lines)
    assert reasons.count("In your file: 90 of 100 are cat.") == 1
    assert "2 classes" not in reasons


def test_every_rule_can_hold() -> None:
    grid: dict[str, tuple[Any, ...]] = {
        "task": tuple(choices("task")), "source": ("stream", "pool"), "cost": ("cheap", "expensive"),
        "members": (1, 4), "classes": (2, 500), "batch": (1, 10, 100), "compute": ("low", "high"),
        "explain": YES_NO, "drift": YES_NO,
    }  # fmt: skip
    found: set[str] = set()
    more: list[dict[str, Any]] = [
        {"uneven": True}, {"calibrated": "no"}, {"noisy": True}, {"dim": 0}, {"dim": 4_096}, {"unseen": True},
        {"total": 9}, {"model": True}, {"samples": 10**9},
    ]  # fmt: skip
    for values in product(*grid.values()):
        said = dict(zip(grid, values, strict=True))
        found |= {line.because for line in advised(Answers(**said)).lines}
    for one in more:
        found |= {line.because for line in advised(Answers(**one)).lines}
    said_of = [rule.because.partition("{")[0] or rule.because.rpartition("}")[2] for rule in RULES]
    assert [words for words in said_of if not any(words in because for because in found)] == []
