"""The gate: better passes, worse is rejected, too few samples are said to be too few."""

from dataclasses import replace

import numpy as np
import pytest

from siftstream.models.cnn import spare_cnn
from siftstream.models.encoder import Encoder
from siftstream.models.head import Head
from siftstream.models.judge import judge, measure
from siftstream.models.loaded import LoadedModel
from siftstream.models.settings import GateSettings
from siftstream.schemas import VersionStatus

ENCODER = Encoder(spare_cnn((1, 8, 8), dim=4), providers=("cpu",))
INPUTS = np.random.default_rng(0).integers(0, 256, (100, 1, 8, 8)).astype(np.uint8)
TARGETS = np.array([0] * 80 + [1] * 20)


def always(answer: int, version: str = "v1") -> LoadedModel:
    """A model that gives one answer, whatever it sees."""
    head = Head.uniform(2, 4, 2)
    bias = np.zeros((2, 2), np.float32)
    bias[:, answer] = 2.0
    return LoadedModel(version, ("a", "b"), ENCODER, replace(head, bias_MC=bias))


def test_measures_give_the_golden_numbers() -> None:
    probs = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.9, 0.1]])[:, None]
    found = measure(probs, np.array([0, 1, 1, 0]))
    assert found["accuracy"] == 0.75
    assert found["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert found["log_loss"] == pytest.approx(0.4003674)
    assert found["judged"] == 4


def test_members_are_judged_by_their_mean() -> None:
    probs = np.array([[[0.9, 0.1], [0.4, 0.6]]])
    assert measure(probs, np.array([0]))["log_loss"] == pytest.approx(-np.log(0.65))


def test_a_better_candidate_goes_live_and_the_figures_say_why() -> None:
    verdict = judge(always(0), always(1, "v0"), {"image": INPUTS}, TARGETS, GateSettings())
    assert verdict.status is VersionStatus.LIVE
    assert verdict.reason == "Passed: accuracy 0.800 on 100 samples, live v0 0.200."
    assert (verdict.metrics["accuracy"], verdict.metrics["live_accuracy"]) == (0.8, 0.2)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "log_loss"])
def test_a_worse_candidate_is_rejected_by_every_metric(metric: str) -> None:
    gate = GateSettings.model_validate({"metric": metric})
    verdict = judge(always(1), always(0, "v0"), {"image": INPUTS}, TARGETS, gate)
    assert verdict.status is VersionStatus.REJECTED
    assert verdict.reason.startswith("Worse than live by")


def test_a_loss_within_the_tolerance_passes() -> None:
    gate = GateSettings(tolerance=0.6)
    assert judge(always(1), always(0), {"image": INPUTS}, TARGETS, gate).status is VersionStatus.LIVE


def test_with_too_few_samples_it_goes_live_unjudged_and_says_so() -> None:
    verdict = judge(always(1), always(0), {"image": INPUTS[:10]}, TARGETS[:10], GateSettings(min_judged=50))
    assert verdict.status is VersionStatus.LIVE
    assert verdict.reason.startswith("Not judged: 50 samples are needed")


def test_without_any_sample_there_is_nothing_to_judge() -> None:
    verdict = judge(always(1), always(0), {"image": INPUTS[:0]}, TARGETS[:0], GateSettings())
    assert verdict.reason == "Not judged: no held-out or audit sample yet."


def test_the_first_of_its_line_passes() -> None:
    verdict = judge(always(1), None, {"image": INPUTS}, TARGETS, GateSettings())
    assert verdict.reason == "First of its line: accuracy 0.200 on 100 samples."


def test_without_promotion_what_passes_stays_a_candidate() -> None:
    gate = GateSettings(promote=False)
    assert judge(always(0), always(1), {"image": INPUTS}, TARGETS, gate).status is VersionStatus.CANDIDATE
