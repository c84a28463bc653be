"""The figures, the two sentences and the report, from runs that never were."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from siftstream.demo.board import Board
from siftstream.demo.live import line, render
from siftstream.demo.report import html, write_report
from siftstream.demo.result import Baseline, Choice, Point, Result, StageFigures, Step, labels_to
from siftstream.schemas import Reason, Selected

VOID = {"meta", "img", "line", "circle", "polyline", "polygon"}


class Balanced(HTMLParser):
    """Fails on a tag that is closed in the wrong place or never."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def choice(reason: Reason, number: int) -> Choice:
    selected = Selected(
        sample_id=f"s{number}", uri=f"file:///nowhere/{number % 10}/{number}.png", partition=0,
        round=number // 4, round_size=4, rank=number % 4, score=0.9, strategy="margin", reason=reason,
        position=1, seed=0, prediction="3", probabilities={"3": 0.5, "<8>": 0.4, "1": 0.1},
        model_version="retrain-0-0001",
    )  # fmt: skip
    return Choice(selected=selected, truth=str(number % 10))


@pytest.fixture
def result() -> Result:
    return Result(
        seed=0, images=1397, holdout=400, labelled=120, first_selected=11.5, seconds=95, after_setup=80,
        points=[
            Point(version=f"retrain-0-000{n}", labels=labels, accuracy=accuracy, seconds=n * 5, training=2.0)
            for n, (labels, accuracy) in enumerate([(20, 0.7), (60, 0.9), (90, 0.9525), (120, 0.97)], start=1)
        ],
        baseline=Baseline(
            counts=[20, 60, 120, 180], accuracies=[[0.6, 0.85, 0.93, 0.96], [0.62, 0.86, 0.95, 0.95]]
        ),
        choices=[choice(Reason.COLD_START, 0), choice(Reason.STRATEGY, 1), choice(Reason.AUDIT, 5)],
        stages=[StageFigures(name="fetch", what="images loaded", done=1397, rate=25.0, lag=3, memory=120.0)],
        steps=[Step(name="Kafka ready", seconds=2.5)],
    )  # fmt: skip


def test_labels_needed_are_those_of_the_first_model_that_reached_the_target() -> None:
    assert labels_to(0.95, [20, 40, 60, 80], [0.9, 0.951, 0.94, 0.96]) == 40
    assert labels_to(0.95, [20, 40], [0.9, 0.94]) is None
    assert labels_to(0.95, [], []) is None


def test_randoms_labels_are_the_mean_of_its_seeds_first_crossings(result: Result) -> None:
    assert result.baseline.needed() == 150
    assert result.baseline.at(90) == pytest.approx((0.855 + 0.94) / 2)
    assert result.baseline.at(300) is None


def test_the_two_sentences_say_what_was_needed(result: Result) -> None:
    assert result.sentences() == (
        "siftstream needed 90 labels for 95 % on the held-out digits.",
        "Random choice needed 150 (mean of 2 seeds).",
    )


def test_a_target_that_was_not_reached_is_said_not_reached(result: Result) -> None:
    short = result.model_copy(
        update={
            "points": result.points[:2],
            "baseline": Baseline(counts=[20, 60], accuracies=[[0.6, 0.85], [0.62, 0.86]]),
        }
    )
    assert short.sentences() == (
        "siftstream did not reach 95 % on the held-out digits with 60 labels (best 90.0 %).",
        "Random choice did not reach it with 60 in each seed (best 85.5 %, mean of 2 seeds).",
    )
    nothing = Result(seed=0, images=10, holdout=400)
    assert "no model went live" in nothing.sentences()[0]
    assert not nothing.turned()


def test_the_report_is_whole_and_holds_the_two_sentences(result: Result, tmp_path: Path) -> None:
    write_report(result, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for sentence in result.sentences():
        assert sentence in page
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert "<8>" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    assert Result.model_validate_json((tmp_path / "result.json").read_bytes()) == result


def test_a_run_that_was_stopped_early_has_a_report_that_says_so() -> None:
    page = html(Result(seed=0, images=10, holdout=400, stopped=True))
    assert "stopped before its end" in page


def test_the_view_shows_each_stage_and_random_beside_the_live_model(result: Result) -> None:
    board = Board(result)
    assert "live retrain-0-0004 97.0 % with 120 labels (random 94.0 %)" in line(board)
    assert render(board) is not None
