"""Verdicts worked out by hand from each paper's formula."""

from math import sqrt

import numpy as np
import pytest

from siftstream.schemas.errors import StrategyError
from siftstream.strategies.stopping import Audit, History, get_stopping, stopping_class, stopping_names


def history_of(*versions: list[int]) -> History:
    return History(tuple(np.array(version) for version in versions))


def test_kappas_of_successive_versions_are_averaged() -> None:
    # 1: agree on 3 of 4; shares (1/2, 1/2) and (3/4, 1/4): E = 1/2, kappa (3/4 - 1/2) / (1/2) = 1/2.
    # 2: all agree: 1. 3: agree on 2 of 4; shares (3/4, 1/4), (1/4, 3/4): E = 3/8, kappa (1/8) / (5/8) = 1/5
    history = history_of([0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 1], [0, 1, 1, 1])
    verdict = get_stopping("stabilising_predictions", agreement=0.5).check(history)
    assert verdict.value == pytest.approx((0.5 + 1.0 + 0.2) / 3)
    assert verdict.stop
    assert not get_stopping("stabilising_predictions").check(history).stop


def test_only_the_last_pairs_count() -> None:
    early = history_of([0, 1], [1, 0], [0, 1], [0, 1], [0, 1], [0, 1])
    assert get_stopping("kappa").check(early).value == 1.0
    assert not get_stopping("kappa", pairs=4).check(early).stop


def test_two_versions_that_say_one_class_everywhere_agree() -> None:
    assert get_stopping("kappa", pairs=1).check(history_of([2, 2], [2, 2])).stop


def test_agreement_by_chance_is_no_agreement() -> None:
    # agree on 1 of 2 where chance gives 1/2
    verdict = get_stopping("kappa", pairs=1).check(history_of([0, 0, 1, 1], [0, 1, 0, 1]))
    assert verdict.value == pytest.approx(0.0)


def test_delta_f_is_one_minus_the_dice_of_the_positives() -> None:
    # a = 2, b = 1, c = 2: 1 - 4 / 7
    history = history_of([1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 1, 0])
    assert get_stopping("delta_f", pairs=1).check(history).value == pytest.approx(3 / 7)
    # of class 0: a = 1, b = 2, c = 1: 3 / 5; the mean over both classes
    assert get_stopping("delta_f", pairs=1, positive=None).check(history).value == pytest.approx(
        (3 / 7 + 3 / 5) / 2
    )


def test_each_of_the_last_changes_must_be_small() -> None:
    calm, shaken = [1, 1, 0, 0], [0, 1, 1, 0]
    assert get_stopping("delta_f").check(history_of(shaken, calm, calm, calm, calm)).stop
    assert not get_stopping("delta_f").check(history_of(shaken, calm, calm, calm)).stop


def test_no_positives_at_all_is_no_change() -> None:
    assert get_stopping("delta_f", pairs=1).check(history_of([0, 0], [0, 0])).value == 0.0


def test_the_plateau_compares_the_upper_end_of_the_gain() -> None:
    # p = 81 / 102 and 86 / 102, z(.9) = 1.2815516
    p1, p2 = 81 / 102, 86 / 102
    upper = p2 - p1 + 1.2815516 * sqrt(p1 * (1 - p1) / 102 + p2 * (1 - p2) / 102)
    history = History(audits=(Audit(80, 100), Audit(85, 100)))
    verdict = get_stopping("accuracy_plateau", versions=1).check(history)
    assert verdict.value == pytest.approx(upper)
    assert not verdict.stop
    assert get_stopping("plateau", versions=1, gain=upper + 0.001).check(history).stop


def test_a_small_audit_never_stops_and_a_large_one_does() -> None:
    rule = get_stopping("accuracy_plateau")
    assert not rule.check(History(audits=(Audit(90, 100),) * 4)).stop
    assert rule.check(History(audits=(Audit(1800, 2000),) * 4)).stop


def test_an_audit_that_still_rises_goes_on() -> None:
    audits = tuple(Audit(correct, 5000) for correct in (4000, 4200, 4300, 4350))
    assert not get_stopping("accuracy_plateau").check(History(audits=audits)).stop


def test_exhausted_gain_compares_with_a_share_of_the_first_rounds() -> None:
    # first rounds average (1 + .5) / 2; a tenth is .075
    rule = get_stopping("exhausted_gain", rounds=2)
    assert rule.check(History(highest=(1.0, 0.5, 0.3, 0.07, 0.02))).stop
    assert not rule.check(History(highest=(1.0, 0.5, 0.3, 0.08, 0.02))).stop
    assert not rule.check(History(highest=(1.0, 0.5, 0.02))).stop


def test_scores_below_zero_have_no_share() -> None:
    verdict = get_stopping("exhausted_gain", rounds=1).check(History(highest=(-2.0, -5.0)))
    assert not verdict.stop
    assert "set a threshold" in verdict.reason
    assert get_stopping("exhausted_gain", rounds=1, threshold=-4.0).check(History(highest=(-2.0, -5.0))).stop


def test_any_and_all_join_their_rules() -> None:
    rules = [
        {"name": "label_limit", "labels": 100},
        {"name": "exhausted_gain", "rounds": 1, "threshold": 0.1},
    ]
    spent = History(labels=(50, 120), highest=(0.9, 0.5))
    assert get_stopping("any", rules=rules).check(spent).stop
    assert get_stopping("any", rules=rules).check(spent).reason == "label_limit: 120 of 100 labels"
    joined = get_stopping("all", rules=rules).check(spent)
    assert not joined.stop
    assert joined.value == 0.5
    assert joined.reason.startswith("exhausted_gain: ")


def test_too_little_to_tell_goes_on_and_says_so() -> None:
    verdict = get_stopping("kappa").check(history_of([0, 1], [0, 1]))
    assert (verdict.stop, verdict.value) == (False, None)
    assert verdict.reason == "too early to tell: 2 of 4 versions"


def test_stop_sets_of_two_sizes_and_impossible_audits_are_refused() -> None:
    with pytest.raises(StrategyError, match="one stop set"):
        history_of([0, 1], [0, 1, 2])
    with pytest.raises(StrategyError, match="cannot have 3 right"):
        Audit(3, 2)
    with pytest.raises(StrategyError, match="must be numbers"):
        History(highest=(float("nan"),))


def test_each_rule_bears_its_name_and_a_wrong_one_gets_a_hint() -> None:
    assert [stopping_class(name).name for name in stopping_names()] == stopping_names()
    with pytest.raises(StrategyError, match="stopping rule 'delta_g' is unknown; did you mean delta_f"):
        get_stopping("delta_g")
    with pytest.raises(StrategyError, match="parameter 'rules"):
        get_stopping("any", rules=[])
