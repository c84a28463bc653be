"""From records of `selected` and `labelled` to the audit's figures."""

from __future__ import annotations

from math import isclose
from typing import Any

import pytest

from siftstream.agents.select.audit.answers import Answers
from siftstream.agents.select.audit.report import Figures, reports
from siftstream.models.settings import SPARE
from siftstream.schemas import Reason, Selected, TrainingLabel
from siftstream.streams.record import Record

MIDNIGHT = 1_700_006_400.0  # 2023-11-15 00:00 UTC


class Log:
    """A log of choices and labels, folded as it is written."""

    def __init__(self) -> None:
        self.answers = Answers()
        self._at = 0

    def chosen(self, name: str, reason: Reason, said: str, chance: float | None = None, **more: Any) -> None:
        self._at += 1
        known = {"model_line": "main", "model_version": "v1", "selected_at": MIDNIGHT + self._at} | more
        one = Selected(
            sample_id=name, uri=f"file:///{name}", partition=0, round=0, round_size=1, rank=0, score=0.0,
            strategy="margin", reason=reason, inclusion_probability=chance, prediction=said, position=0,
            seed=0, **known,
        )  # fmt: skip
        self.answers.hear_selected(Record("selected", 0, self._at, one.key, one.encode()))

    def recalled(self, name: str) -> None:
        self.answers.hear_selected(Record("selected", 0, 0, name.encode(), None))

    def labelled(self, name: str, label: str | None) -> None:
        one = TrainingLabel(sample_id=name, uri=f"file:///{name}", label=label)
        self.answers.hear_labelled(Record("labelled", 0, 0, one.key, one.encode()))

    def overall(self) -> Figures:
        return reports(self.answers.all())[0]


@pytest.fixture
def log() -> Log:
    """Four audit labels with weights 10, 10, 2, 2 (one heavy one wrong), four of the strategy's (2 wrong)."""
    log = Log()
    for name, chance, label in [("a", 0.1, "cat"), ("b", 0.1, "dog"), ("c", 0.5, "cat"), ("d", 0.5, "cat")]:
        log.chosen(name, Reason.AUDIT, "cat", chance)
        log.labelled(name, label)
    for name, label in [("e", "cat"), ("f", "dog"), ("g", "cow"), ("h", "cat")]:
        log.chosen(name, Reason.STRATEGY, "cat")
        log.labelled(name, label)
    return log


def test_the_figures_by_hand(log: Log) -> None:
    found = log.overall()
    assert isclose(found.accuracy.value or 0, 14 / 24)
    assert isclose(found.error.value or 0, 10 / 24)
    assert found.strategy_error.value == 0.5
    assert isclose(found.lift.value or 0, 0.5 * 24 / 10)
    assert isclose(found.accuracy.low, 1 - found.error.high)
    assert "1.20 times as often" in found.sentence()
    assert "no difference is shown yet" in found.sentence()


def test_what_has_no_label_is_counted_and_left_out(log: Log) -> None:
    before = log.overall()
    log.chosen("skipped", Reason.AUDIT, "cat", 0.1)
    log.labelled("skipped", None)
    log.chosen("waiting", Reason.AUDIT, "cat", 0.1)
    log.chosen("cold", Reason.COLD_START, "cat")
    log.chosen("untrained", Reason.AUDIT, "cat", 0.1, model_version=SPARE)
    log.labelled("untrained", "dog")
    log.chosen("asked", Reason.QUERY, "cat")
    log.labelled("asked", "dog")
    after = log.overall()
    assert (after.accuracy, after.lift) == (before.accuracy, before.lift)
    assert (after.audit.chosen, after.audit.labelled) == (6, 4)
    assert (after.audit.skipped, after.audit.waiting, after.untrained) == (1, 1, 1)


def test_the_last_word_counts_as_compaction_would_leave_it(log: Log) -> None:
    log.labelled("b", "cat")
    assert log.overall().accuracy.value == 1.0
    log.recalled("e")
    log.recalled("e")
    assert log.answers.recalled == 1
    assert log.overall().strategy.chosen == 3
    log.chosen("e", Reason.AUDIT, "cow", 0.5)
    assert log.answers.recalled == 0
    assert log.overall().audit.chosen == 5
    assert log.overall().strategy.chosen == 3


def test_groups_by_version_day_and_class(log: Log) -> None:
    log.chosen("z", Reason.AUDIT, "dog", 0.1, model_version="v2", selected_at=MIDNIGHT + 86_400)
    log.labelled("z", "dog")
    answers = log.answers.all()
    assert [one.name for one in reports(answers)] == ["all"]
    assert [one.name for one in reports(answers, "version")] == ["all", "main/v1", "main/v2"]
    assert [one.name for one in reports(answers, "day")] == ["all", "2023-11-15", "2023-11-16"]
    by_class = {one.name: one for one in reports(answers, "class")}
    assert list(by_class) == ["all", "cat", "cow", "dog"]
    assert by_class["dog"].accuracy.value == 0.5
    assert by_class["cow"].audit.chosen == 0


def test_nothing_gives_words_and_not_numbers_that_are_none() -> None:
    log = Log()
    assert log.overall().sentence() == "no label of the audit yet: nothing can be said of the stream"
    log.chosen("a", Reason.AUDIT, "cat", 0.1)
    log.labelled("a", "cat")
    assert log.overall().sentence() == "no label of what the strategy chose yet: no lift"
    log.chosen("b", Reason.STRATEGY, "cat")
    log.labelled("b", "cat")
    assert log.overall().sentence() == "the model was wrong nowhere: there is nothing to compare"
    log.labelled("b", "dog")
    assert log.overall().sentence().startswith("the model was wrong on none of 1 random labels")
    log.labelled("a", "dog")
    log.labelled("b", "cat")
    assert log.overall().sentence().startswith("a label of the strategy's taught the model something 0.00")
