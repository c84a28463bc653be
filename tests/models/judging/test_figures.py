"""Figures: golden numbers, agreement with scikit-learn, and intervals that hold as often as they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from siftstream.models.calibration import expected_calibration_error, log_loss
from siftstream.models.judging.answers import Answers
from siftstream.models.judging.figures import Measured, figures_of
from siftstream.models.judging.intervals import Spread, moved, quantile, shares_apart
from tests.models.judging.worlds import Probs, world

NAMES = ("a", "b", "c", "d")


def table(
    targets: np.ndarray, ours: Probs, live: Probs | None = None, weights: np.ndarray | None = None
) -> dict[str, Measured]:
    theirs = None if live is None else Answers.of(live, targets)
    weights = np.ones(len(targets)) if weights is None else weights
    found = figures_of(Answers.of(ours, targets), theirs, targets, weights, NAMES)
    return {one.name: one for one in found}


def test_figures_are_those_of_scikit_learn() -> None:
    targets, ours, _ = world(500)
    found, guesses = table(targets, ours), ours[:, 0].argmax(axis=1)
    assert found["accuracy"].value == pytest.approx(metrics.accuracy_score(targets, guesses))
    assert found["macro_f1"].value == pytest.approx(metrics.f1_score(targets, guesses, average="macro"))
    assert found["log_loss"].value == pytest.approx(metrics.log_loss(targets, ours[:, 0]), abs=1e-6)
    recalls = metrics.recall_score(targets, guesses, average=None)
    assert [found[f"recall/{name}"].value for name in NAMES] == pytest.approx(recalls)


def test_weighted_figures_are_those_of_scikit_learn() -> None:
    targets, ours, _ = world(500)
    weights = np.random.default_rng(1).uniform(1, 20, 500)
    found, guesses = table(targets, ours, weights=weights), ours[:, 0].argmax(axis=1)
    expected = metrics.f1_score(targets, guesses, average="macro", sample_weight=weights)
    assert found["macro_f1"].value == pytest.approx(expected)
    expected = metrics.log_loss(targets, ours[:, 0], sample_weight=weights)
    assert found["log_loss"].value == pytest.approx(expected, abs=1e-6)
    recalls = metrics.recall_score(targets, guesses, average=None, sample_weight=weights)
    assert [found[f"recall/{name}"].value for name in NAMES] == pytest.approx(recalls)


def test_figures_are_those_of_calibration() -> None:
    targets, ours, _ = world(300)
    found = table(targets, ours)
    assert found["ece"].value == expected_calibration_error(ours[:, 0], targets)
    assert found["log_loss"].value == pytest.approx(log_loss(ours[:, 0], targets))


def test_a_weight_is_as_many_samples() -> None:
    targets, ours, live = world(60)
    weights = np.random.default_rng(2).integers(1, 4, 60)
    once = table(targets, ours, live, weights.astype(float))
    again = np.repeat(np.arange(60), weights)
    often = table(targets[again], ours[again], live[again])
    for name, one in once.items():
        assert one.value == pytest.approx(often[name].value)
        assert one.live == pytest.approx(often[name].live)


def test_members_are_judged_by_their_mean() -> None:
    probs = np.array([[[0.9, 0.1], [0.4, 0.6]]], np.float32)
    assert Answers.of(probs, np.array([0])).picked_B.tolist() == pytest.approx([0.65])


def test_a_class_that_does_not_occur_has_no_recall() -> None:
    targets, ours, _ = world(50)
    kept = targets != 2
    assert "recall/c" not in table(targets[kept], ours[kept])


def test_all_right_leaves_room_to_be_wrong() -> None:
    probs = np.eye(4, dtype=np.float32)[np.arange(40) % 4][:, None]
    found = table(np.arange(40) % 4, probs, probs)
    for name in ("accuracy", "macro_f1", "recall/a"):
        one = found[name]
        assert one.value == 1.0
        assert one.interval[0] < 0.95
        assert one.interval[1] == 1.0
        assert one.gap is not None
        assert one.gap.at()[0] < 0.0 < one.gap.at()[1]


def test_one_sample_is_enough_for_figures() -> None:
    targets, ours, live = world(1)
    assert table(targets, ours, live)["log_loss"].count == 1


def test_students_quantile_is_that_of_the_tables() -> None:
    # Two-sided 90 %: 1.645, with 20 degrees of freedom 1.725, with 50 1.676.
    assert [quantile(0.9, size) for size in (np.inf, 21, 51)] == pytest.approx(
        [1.645, 1.725, 1.676], abs=1e-3
    )


def test_a_mean_moves_by_its_deviations() -> None:
    values = np.random.default_rng(0).normal(size=100)
    expected = values.std(ddof=1) / 10
    assert moved((values - values.mean()) / 100) == pytest.approx(expected)


def test_a_spread_stays_within_its_bounds() -> None:
    assert Spread(0.1, 0.9, 1.0, least=0.0, most=1.0).at() == (0.0, 1.0)


@pytest.mark.parametrize(
    ("won", "lost", "size", "most"), [(0.1, 0.1, 80, 0.94), (0.3, 0.02, 60, 0.94), (0.02, 0.0, 100, 1.0)]
)
def test_intervals_of_paired_shares_hold_as_often_as_they_say(
    won: float, lost: float, size: int, most: float
) -> None:
    draws = np.random.default_rng(0).multinomial(size, [won, lost, 1 - won - lost], 1000) / size
    inside = [
        low <= won - lost <= high
        for low, high in (shares_apart(float(a), float(b), size).at() for a, b, _ in draws)
    ]
    assert 0.86 <= np.mean(inside) <= most


@pytest.mark.parametrize("size", [80, 400])
@pytest.mark.parametrize("sharper", [1.0, 1.6])
def test_intervals_hold_as_often_as_they_say(size: int, sharper: float) -> None:
    targets, ours, live = world(40_000, sharper=sharper)
    truth = table(targets, ours, live)
    first, second = Answers.of(ours, targets), Answers.of(live, targets)
    rng, held = np.random.default_rng(1), {name: np.zeros(3) for name in truth}
    for _ in range(150):
        rows = rng.integers(40_000, size=size)
        for one in figures_of(first.at(rows), second.at(rows), targets[rows], np.ones(size), NAMES):
            true = truth[one.name]
            assert one.gap is not None
            assert true.live is not None
            low, high = one.gap.at()
            held[one.name] += [
                1, one.interval[0] - 1e-9 <= true.value <= one.interval[1] + 1e-9,
                low <= true.value - true.live <= high,
            ]  # fmt: skip
    for name, (count, value, gap) in held.items():
        least = 0.76 if name == "ece" else 0.83  # an honest model beside an overconfident one is hard
        assert value / count >= 0.83, name
        assert gap / count >= least, name


def test_an_interval_narrows_as_samples_grow() -> None:
    targets, ours, live = world(4000)
    few, many = table(targets[:100], ours[:100], live[:100]), table(targets, ours, live)
    for name, one in few.items():
        other = many[name]
        assert other.interval[1] - other.interval[0] < (one.interval[1] - one.interval[0]) / 2
        assert one.gap is not None
        assert other.gap is not None
        assert np.diff(other.gap.at())[0] < np.diff(one.gap.at())[0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 80))
def test_the_order_of_samples_changes_nothing(seed: int, size: int) -> None:
    targets, ours, live = world(size, seed=seed)
    order = np.random.default_rng(seed).permutation(size)
    weights = np.random.default_rng(seed).uniform(1, 9, size)
    before = table(targets, ours, live, weights)
    after = table(targets[order], ours[order], live[order], weights[order])
    for name, one in before.items():
        other = after[name]
        assert one.gap is not None
        assert other.gap is not None
        assert [one.value, *one.interval, *one.gap.at()] == pytest.approx(
            [other.value, *other.interval, *other.gap.at()], abs=1e-9
        )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60))
def test_a_value_lies_in_its_interval(seed: int, size: int) -> None:
    targets, ours, live = world(size, seed=seed)
    for one in table(targets, ours, live).values():
        assert one.interval[0] - 1e-9 <= one.value <= one.interval[1] + 1e-9
        assert one.gap is not None
        assert one.live is not None
        assert one.gap.at()[0] - 1e-9 <= one.value - one.live <= one.gap.at()[1] + 1e-9
