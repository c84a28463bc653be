"""The label-savings benchmark: its arithmetic on made-up curves, its head, and its protocol on few digits."""

import doctest
import json
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from benchmarks.label_savings.__main__ import main
from benchmarks.label_savings.data import Data, digits, kept, load
from benchmarks.label_savings.head import fitted
from benchmarks.label_savings.protocol import Protocol, curve
from siftstream.experiment.plan import plans
from siftstream.experiment.savings import Curves, savings
from siftstream.experiment.split import Split

COUNTS = np.array([20, 40, 60, 80])
RANDOM = Curves(COUNTS, np.array([[0.50, 0.60, 0.70, 0.80], [0.50, 0.60, 0.70, 0.80]]))
FEW = Protocol(start=20, round=10, labels=50)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with threadpool_limits(1):  # small products only get slower by more
        yield


def few_digits() -> Data:
    data = digits()
    return Data(data.features_ND[:300], data.classes_N[:300])


def test_half_the_labels_for_the_same_accuracy_are_a_ratio_of_a_half() -> None:
    # By hand: at 40 labels ours has (.65 + .75) / 2 = .70 on the mean, which random has at 60: 40 / 60.
    ours = Curves(COUNTS, np.array([[0.50, 0.65, 0.75, 0.80], [0.50, 0.75, 0.85, 0.80]]))
    found = savings(ours, RANDOM, 40)
    assert found.ratio.value == pytest.approx(2 / 3)
    assert found.accuracy.value == pytest.approx(0.70)
    assert found.against_random.value == pytest.approx(0.10)
    # Both draws the first seed: .65, random at 50, 40 / 50; both the second: .75, random at 70, 40 / 70.
    assert (found.ratio.low, found.ratio.high) == pytest.approx((40 / 70, 0.8))
    assert found.ratio.bound == ""


def test_random_against_itself_saves_nothing() -> None:
    found = savings(RANDOM, RANDOM, 60)
    assert found.ratio.value == pytest.approx(1.0)
    assert (found.against_random.low, found.against_random.high) == (0.0, 0.0)


def test_an_accuracy_that_random_never_reaches_gives_a_bound() -> None:
    ours = Curves(COUNTS, np.full((2, 4), 0.9))
    assert savings(ours, RANDOM, 40).ratio.value == pytest.approx(0.5)
    assert savings(ours, RANDOM, 40).ratio.bound == "<="


def test_an_accuracy_below_the_start_of_random_gives_a_bound() -> None:
    ours = Curves(COUNTS, np.full((2, 4), 0.4))
    assert savings(ours, RANDOM, 40).ratio.value == pytest.approx(2.0)
    assert savings(ours, RANDOM, 40).ratio.bound == ">="


def test_the_head_of_two_labels_is_the_one_computed_by_hand() -> None:
    # Of -1 and +1 the weights are -v and v for each class, and 2 log(1 + exp(-2 v)) + l2 v^2 is least where
    # l2 v (1 + exp(2 v)) = 2: at v = 1/2 for l2 = 4 / (1 + e), with e / (1 + e) for the right class.
    head = fitted(np.array([[-1.0], [1.0]], np.float32), np.array([0, 1]), 2, l2=4 / (1 + np.e))
    np.testing.assert_allclose(head.weights_MDC[0, 0], [-0.5, 0.5], atol=1e-3)
    right = head.probs(np.array([[1.0]], np.float32))[0, 0, 1]
    assert right == pytest.approx(np.e / (1 + np.e), abs=1e-3)


def test_labels_of_one_class_make_a_head_that_is_sure_of_it() -> None:
    head = fitted(np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32), np.full(5, 2), 4)
    assert (head.probs(np.zeros((2, 3), np.float32)).argmax(axis=2) == 2).all()


def test_members_see_the_labels_under_different_weights() -> None:
    data = few_digits()
    head = fitted(data.features_ND[:50], data.classes_N[:50], 10, members=3, seed=1)
    assert head.members == 3
    assert not np.allclose(head.weights_MDC[0], head.weights_MDC[1])


def test_a_curve_counts_its_labels_and_comes_out_the_same_again() -> None:
    margin = plans("margin")[0]
    counts, accuracies = curve(few_digits(), margin, 0, FEW)
    assert counts == [20, 30, 40, 50]
    assert accuracies == curve(few_digits(), margin, 0, FEW)[1]
    assert accuracies[-1] > accuracies[0]


def test_strategies_that_start_at_random_start_from_the_same_labels() -> None:
    first = {plan.name: curve(few_digits(), plan, 3, FEW)[1][0] for plan in plans("margin, random, k_center")}
    assert len(set(first.values())) == 1
    assert curve(few_digits(), plans("k_center+margin")[0], 3, FEW)[1][0] != first["margin"]


def test_held_out_samples_are_never_in_the_stream() -> None:
    split = Split.of(300, 0, 0.25)
    assert len(split.test) == 75
    assert sorted([*split.test, *split.stream]) == list(range(300))


def test_a_window_hides_the_rest_of_the_pool() -> None:
    plan = plans("margin")[0]
    small = curve(few_digits(), plan, 0, replace(FEW, window=12))[1]
    assert small[0] == curve(few_digits(), plan, 0, FEW)[1][0]
    assert small != curve(few_digits(), plan, 0, FEW)[1]


def test_a_pool_that_ends_ends_the_curve() -> None:
    assert curve(few_digits(), plans("random")[0], 0, replace(FEW, labels=900, round=100))[0] == [
        20,
        120,
        220,
        225,
    ]


def test_one_command_writes_figures_and_its_journal_gives_them_again(tmp_path: Path) -> None:
    arguments = ["--seeds", "2", "--strategies", "margin", "--labels", "60", "--at", "20,60", "--reach", "1"]
    arguments += ["--jobs", "1", "--journal", str(tmp_path / "journal"), "--out", str(tmp_path / "out.json")]
    assert main(arguments) == 0
    first = json.loads((tmp_path / "out.json").read_text())
    assert main(arguments) == 0
    assert json.loads((tmp_path / "out.json").read_text()) == first
    margin = first["sets"]["digits"]["margin"]
    assert margin["counts"] == [20, 40, 60]
    assert [one["labels"] for one in margin["savings"]] == [20, 60]


def test_features_are_made_once_for_each_content_of_the_file(tmp_path: Path) -> None:
    source, made = tmp_path / "source", []

    def make(path: Path) -> Data:
        made.append(path)
        return Data(np.ones((2, 3), np.float32), np.array([0, 1]))

    source.write_text("one")
    path = kept(tmp_path / "cache", "some", source, make)
    assert kept(tmp_path / "cache", "some", source, make) == path
    assert load(path).features_ND.shape == (2, 3)
    source.write_text("two")
    assert kept(tmp_path / "cache", "some", source, make) != path
    assert len(made) == 2


@pytest.mark.parametrize("module", ["protocol"])
def test_examples_in_docstrings_hold(module: str) -> None:
    found = doctest.testmod(import_module(f"benchmarks.label_savings.{module}"))
    assert found.attempted
    assert not found.failed
