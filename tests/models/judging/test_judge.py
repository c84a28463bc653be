"""Verdicts: better passes, worse is rejected with the worst offender named, too few samples are too few."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siftstream.models.judging.judge import Held, Verdict, judge, measure
from siftstream.models.judging.settings import GateSettings
from siftstream.schemas import Artifact, ModelVersion, VersionStatus
from tests.models.judging.worlds import Probs, held, world

FILE = Artifact(uri="file:///x", sha256="0" * 64, size=1)
TARGETS = np.array([0] * 80 + [1] * 20)
CLASSES = ("cat", "dog")


def version(**facts: Any) -> ModelVersion:
    return ModelVersion(
        line="main",
        version="v0",
        classes=CLASSES,
        status=VersionStatus.LIVE,
        encoder=FILE,
        head=FILE,
        **facts,
    )


def always(answer: int, count: int = 100) -> Probs:
    """What two members say that give one answer, whatever they see."""
    probs = np.full((count, 2, 2), 0.2, np.float32)
    probs[:, :, answer] = 0.8
    return probs


def answers(*right: bool) -> Probs:
    """What one member says that is right, or not, about samples of the first class."""
    sure = np.where(right, 0.9, 0.1)
    return np.stack([sure, 1 - sure], axis=1)[:, None].astype(np.float32)


def said(
    ours: Probs, theirs: Probs | None, gate: GateSettings | None = None, live: ModelVersion | None = None,
    samples: Held | None = None,
) -> Verdict:  # fmt: skip
    live = version() if live is None and theirs is not None else live
    samples = held(TARGETS[: len(ours)]) if samples is None else samples
    return judge(ours, theirs, samples, CLASSES, gate or GateSettings(), live=live)


def test_measures_give_the_golden_numbers() -> None:
    probs = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.9, 0.1]])[:, None]
    found = measure(probs, np.array([0, 1, 1, 0]))
    assert found["accuracy"] == 0.75
    assert found["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert found["log_loss"] == pytest.approx(0.4003674)
    assert found["judged"] == 4


def test_a_better_candidate_goes_live_and_the_figures_say_why() -> None:
    verdict = said(always(0), always(1))
    assert verdict.status is VersionStatus.LIVE
    assert verdict.reason == "Passed: accuracy 0.800 on 100 samples, live v0 0.200."
    assert (verdict.metrics["accuracy"], verdict.metrics["live_accuracy"]) == (0.8, 0.2)


@pytest.mark.parametrize("figure", ["accuracy", "macro_f1", "log_loss", "recall", "recall/cat"])
def test_a_worse_candidate_is_rejected_by_every_figure(figure: str) -> None:
    verdict = said(always(1), always(0), GateSettings(allowed={figure: 0.1}))
    assert verdict.status is VersionStatus.REJECTED
    assert verdict.reason.startswith("Worse than live by")


def test_a_candidate_that_lost_its_calibration_is_rejected_by_that_alone() -> None:
    targets, ours, theirs = world(2000, sharper=3.0)
    names, gate = ("a", "b", "c", "d"), GateSettings(allowed={"accuracy": 0.05, "ece": 0.02})
    verdict = judge(theirs, ours, held(targets), names, gate, live=version())
    assert verdict.status is VersionStatus.REJECTED
    assert ": ece 0." in verdict.reason


def test_the_worst_offender_is_named_and_the_others_after_it() -> None:
    gate = GateSettings(allowed={"accuracy": 0.5, "recall": 0.1, "macro_f1": 0.1})
    reason = said(always(1), always(0), gate).reason
    assert reason == (
        "Worse than live by 1.000, 0.1 allowed: recall/cat 0.000 on 80 samples, live v0 1.000; also macro_f1,"
        " accuracy."
    )


def test_the_figures_say_what_was_allowed_and_what_was_lost() -> None:
    judgement = said(always(1), always(0), GateSettings(allowed={"recall/cat": 0.1})).judgement
    assert judgement.against == "v0"
    assert judgement.judged == 100
    assert [one.name for one in judgement.figures if not one.kept] == ["recall/cat"]
    cat, dog = judgement.find("recall/cat"), judgement.find("recall/dog")
    assert cat is not None
    assert dog is not None
    assert (cat.count, cat.allowed, cat.difference, dog.allowed) == (80, 0.1, -1.0, None)


def test_a_loss_within_what_is_allowed_passes() -> None:
    gate = GateSettings(allowed={"accuracy": 0.6})
    assert said(always(1), always(0), gate).status is VersionStatus.LIVE


def test_a_loss_of_just_what_is_allowed_passes() -> None:
    before = answers(*[True] * 100)
    after = answers(*[True] * 98, False, False)
    verdict = said(after, before, samples=held(np.zeros(100, np.int64)))
    assert verdict.status is VersionStatus.LIVE


def test_a_class_may_be_allowed_more_than_the_others() -> None:
    gate = GateSettings(allowed={"recall": 0.0, "recall/cat": 1.0})
    assert said(always(1), always(0), gate).status is VersionStatus.LIVE


def test_a_class_without_samples_is_not_asked() -> None:
    gate = GateSettings(allowed={"recall": 0.0})
    verdict = said(always(0, 80), always(0, 80), gate)
    assert verdict.status is VersionStatus.LIVE
    assert verdict.judgement.find("recall/dog") is None


def test_with_a_confidence_a_loss_by_chance_passes_and_a_sure_one_does_not() -> None:
    gate = GateSettings(allowed={"accuracy": 0.0}, confidence=0.95)
    samples = held(np.zeros(100, np.int64))
    before = answers(*[True] * 95, *[False] * 5)
    by_chance = answers(*[True] * 93, *[False] * 2, *[True] * 1, *[False] * 4)
    assert said(by_chance, before, gate, samples=samples).status is VersionStatus.LIVE
    sure = answers(*[True] * 70, *[False] * 30)
    verdict = said(sure, before, gate, samples=samples)
    assert verdict.status is VersionStatus.REJECTED
    assert "0 allowed (confidence 0.95)" in verdict.reason


def test_of_many_classes_none_is_lost_by_chance() -> None:
    names = tuple(f"c{number}" for number in range(100))
    rejected = {0.9: 0, None: 0}
    for seed in range(5):
        targets, ours, theirs = world(5000, 100, apart=3.0, seed=seed)
        for confidence in rejected:
            gate = GateSettings(allowed={"recall": 0.0}, confidence=confidence)
            verdict = judge(ours, theirs, held(targets), names, gate, live=version())
            rejected[confidence] += verdict.status is VersionStatus.REJECTED
    assert rejected[0.9] <= 1
    assert rejected[None] == 5


def test_with_too_few_samples_it_goes_live_unjudged_and_says_so() -> None:
    verdict = said(always(1, 10), always(0, 10))
    assert verdict.status is VersionStatus.LIVE
    assert (
        verdict.reason == "Not judged: 50 samples are needed (accuracy 0.000 on 10 samples, live v0 1.000)."
    )
    assert all(one.kept and one.allowed is None for one in verdict.judgement.figures)


def test_without_any_sample_there_is_nothing_to_judge() -> None:
    verdict = said(always(1, 0), always(0, 0))
    assert verdict.reason == "Not judged: no held-out or audit sample yet."
    assert verdict.metrics == {"judged": 0.0}


def test_the_first_of_its_line_passes() -> None:
    verdict = said(always(1), None)
    assert verdict.reason == "First of its line: accuracy 0.200 on 100 samples."
    assert verdict.judgement.against is None


def test_a_live_version_that_cannot_be_asked_is_no_measure() -> None:
    verdict = said(always(1), None, live=version())
    assert verdict.status is VersionStatus.LIVE
    assert verdict.reason == (
        "Not judged: live v0 is of other classes or inputs (accuracy 0.200 on 100 samples)."
    )


def test_without_promotion_what_passes_stays_a_candidate() -> None:
    assert said(always(0), always(1), GateSettings(promote=False)).status is VersionStatus.CANDIDATE


def test_while_the_live_version_is_held_what_passes_is_a_candidate() -> None:
    for ours, theirs in ((always(0), always(1)), (always(0, 10), always(1, 10)), (always(0), None)):
        verdict = said(ours, theirs, live=version(held=True))
        assert verdict.status is VersionStatus.CANDIDATE
        assert verdict.reason.endswith("; v0 is held live until it is let go.")


def test_while_the_live_version_is_held_what_is_worse_is_rejected_still() -> None:
    assert said(always(1), always(0), live=version(held=True)).status is VersionStatus.REJECTED


def test_one_that_was_overtaken_goes_live_only_where_it_is_better() -> None:
    def late(ours: Probs, theirs: Probs) -> Verdict:
        samples = held(TARGETS[: len(ours)])
        return judge(ours, theirs, samples, CLASSES, GateSettings(), live=version(), overtaken=True)

    assert late(always(0), always(1)).status is VersionStatus.LIVE
    assert late(always(1), always(0)).status is VersionStatus.REJECTED
    for ours, theirs in (
        (always(0), always(0)),
        (always(0, 10), always(1, 10)),
        (always(0, 0), always(0, 0)),
    ):
        verdict = late(ours, theirs)
        assert verdict.status is VersionStatus.CANDIDATE
        assert verdict.reason.endswith("; v0 knows more labels.")


def test_members_need_not_be_as_many_as_those_of_the_live_version() -> None:
    assert said(always(0), always(1)[:, :1]).status is VersionStatus.LIVE


def test_holdout_and_audit_are_told_apart_and_the_audit_is_weighted() -> None:
    # Of the audited two are right, drawn with chance 0.5, and one is wrong, drawn with 0.1: 4 of 14.
    right = [True, True, True, False, True, True, False]
    samples = Held(
        np.zeros(7, np.int64), np.array([1, 1, 1, 1, 2, 2, 2], np.uint8),
        np.array([np.nan] * 4 + [0.5, 0.5, 0.1]),
    )  # fmt: skip
    judgement = said(answers(*right), None, samples=samples).judgement
    found = {source: judgement.find("accuracy", source) for source in ("all", "holdout", "audit")}
    values = {source: (one.count, one.value) for source, one in found.items() if one is not None}
    assert values == {"all": (7, round(5 / 7, 6)), "holdout": (4, 0.75), "audit": (3, round(4 / 14, 6))}


def test_an_audited_sample_of_unknown_chance_speaks_for_no_stream() -> None:
    samples = Held(np.zeros(2, np.int64), np.array([2, 2], np.uint8), np.array([np.nan, np.nan]))
    judgement = said(answers(True, False), None, samples=samples).judgement
    assert judgement.find("accuracy", "audit") is None
    assert judgement.judged == 2


def test_very_many_classes_still_make_a_small_record() -> None:
    names = tuple(f"class {number}" for number in range(1000))
    targets, ours, theirs = world(3000, 1000, apart=4.0)
    gate = GateSettings(allowed={"recall": 0.4})
    verdict = judge(ours, theirs, held(targets, targets % 2 == 0), names, gate, live=version())
    lost = [one.name for one in verdict.judgement.figures if not one.kept]
    assert len(verdict.judgement.model_dump_json()) < 200_000
    assert verdict.status is VersionStatus.REJECTED
    assert len(lost) > 5


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(50, 120))
def test_a_candidate_that_is_the_live_version_never_loses(seed: int, size: int) -> None:
    targets, ours, _ = world(size, seed=seed)
    allowed = dict.fromkeys(("accuracy", "macro_f1", "log_loss", "ece", "recall"), 0.0)
    for confidence in (None, 0.6, 0.95):
        gate = GateSettings(allowed=allowed, confidence=confidence)
        verdict = judge(ours, ours, held(targets), ("a", "b", "c", "d"), gate, live=version())
        assert verdict.status is VersionStatus.LIVE


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_samples_changes_no_verdict(seed: int) -> None:
    targets, ours, theirs = world(80, seed=seed)
    order = np.random.default_rng(seed).permutation(80)
    audited = np.arange(80) % 3 == 0
    gate = GateSettings(allowed={"accuracy": 0.02, "recall": 0.05, "log_loss": 0.01})
    first = judge(ours, theirs, held(targets, audited), ("a", "b", "c", "d"), gate, live=version())
    again = judge(
        ours[order], theirs[order], held(targets[order], audited[order]), ("a", "b", "c", "d"), gate,
        live=version(),
    )  # fmt: skip
    assert (first.status, first.reason) == (again.status, again.reason)


def test_the_gate_names_the_nearest_of_what_it_does_not_know() -> None:
    assert GateSettings(allowed={"recall/dgo": 0.1}).refusal(CLASSES) == (
        "allowed: no figure is called 'recall/dgo', the nearest is 'recall/dog'"
    )
    known = dict.fromkeys(("accuracy", "macro_f1", "log_loss", "ece", "recall", "recall/dog"), 0.1)
    assert GateSettings(allowed=known).refusal(CLASSES) is None
