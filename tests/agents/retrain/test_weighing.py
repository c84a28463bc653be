"""What labels count: agreement, age and class, with mean 1 over the labels that are learned from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siftstream.agents.retrain.pool import Snapshot
from siftstream.agents.retrain.weighing import MOST, stream_shares, weighed
from siftstream.models.training.job import SLICES
from siftstream.models.training.settings import WeightSettings
from siftstream.schemas import Slice

CLASSES = ("a", "b", "c")
T, H, A = Slice.TRAIN, Slice.HOLDOUT, Slice.AUDIT


def pool(
    targets: list[int], slices: list[Slice] | None = None, *, agreed: list[float] | None = None,
    ages: list[float] | None = None, chances: list[float] | None = None,
) -> Snapshot:  # fmt: skip
    count = len(targets)
    return Snapshot(
        [str(number) for number in range(count)], [""] * count, np.array(targets, np.int64),
        np.array(agreed or [1.0] * count, np.float32),
        np.array([SLICES.index(name) for name in slices or [T] * count], np.uint8),
        np.array(chances or [np.nan] * count), 1000.0 - np.array(ages or [0.0] * count),
        np.zeros(count, np.int64), np.arange(count), (count,),
    )  # fmt: skip


def settings(**given: object) -> WeightSettings:
    return WeightSettings.model_validate(given)


def test_labels_count_by_agreement_unless_that_is_off():
    labels = pool([0, 1, 0], agreed=[1.0, 0.5, 0.75])
    assert weighed(labels, settings(), CLASSES, 1000.0).tolist() == pytest.approx([4 / 3, 2 / 3, 1])
    assert weighed(labels, settings(agreement=False), CLASSES, 1000.0).tolist() == [1, 1, 1]


def test_a_label_counts_half_after_each_half_life():
    found = weighed(pool([0, 0, 0], ages=[0, 60, 120]), settings(half_life=60), CLASSES, 1000.0)
    assert (found / found[0]).tolist() == pytest.approx([1, 0.5, 0.25])


def test_labels_older_than_any_half_life_still_count():
    found = weighed(pool([0, 0], ages=[1e7, 1e7 + 60]), settings(half_life=60), CLASSES, 1e7)
    assert found.tolist() == pytest.approx([4 / 3, 2 / 3])


def test_balanced_classes_count_alike_whatever_else_is_weighed():
    labels = pool([0, 0, 0, 1], agreed=[1, 0.5, 0.5, 0.8])
    found = weighed(labels, settings(classes="balanced"), CLASSES, 1000.0)
    assert found[:3].sum() == pytest.approx(found[3])


def test_a_class_may_be_given_a_number_and_the_others_count_one():
    found = weighed(pool([0, 1, 2]), settings(classes={"b": 4.0}), CLASSES, 1000.0)
    assert found.tolist() == pytest.approx([0.5, 2.0, 0.5])


def test_classes_are_weighed_to_the_stream_as_the_audit_finds_it():
    """A margin strategy asked mostly for the rare class; the audit saw it once in twenty."""
    audited = [0] * 190 + [1] * 10
    labels = pool([0] * 50 + [1] * 50 + audited, [T] * 100 + [A] * 200, chances=[np.nan] * 100 + [0.1] * 200)
    found = weighed(labels, settings(classes="stream"), CLASSES, 1000.0)
    share = found[50:100].sum() / found[:100].sum()
    assert 0.05 < share < 0.07  # drawn a little towards the half that the labels say


def test_an_audited_label_stands_for_as_many_samples_as_its_probability_says():
    classes, chances = np.array([0] * 50 + [1] * 50), np.array([0.5] * 50 + [0.05] * 50)
    found = stream_shares(classes, chances, np.array([0.5, 0.5]))
    assert found[1] == pytest.approx(10 / 11, abs=0.03)


def test_few_audited_labels_move_the_classes_little():
    prior = np.array([0.25, 0.25, 0.5])
    assert stream_shares(np.zeros(0, np.int64), np.zeros(0), prior).tolist() == prior.tolist()
    one = stream_shares(np.array([0]), np.array([0.01]), prior)
    assert one.tolist() == pytest.approx([0.4375, 0.1875, 0.375])


def test_no_class_counts_for_more_than_its_labels_can_carry():
    labels = pool([0] * 99 + [1] + [1] * 500, [T] * 100 + [A] * 500, chances=[np.nan] * 100 + [0.5] * 500)
    found = weighed(labels, settings(classes="stream"), CLASSES, 1000.0)
    assert found[99] / found[0] <= MOST**2


def test_held_out_labels_keep_their_weight():
    labels = pool([0, 1, 1], [T, H, A], agreed=[0.5, 0.5, 0.5], ages=[50, 50, 50])
    found = weighed(labels, settings(half_life=1, classes="balanced"), CLASSES, 1000.0)
    assert found.tolist() == [1, 1, 1]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from([T, H, A]), st.floats(0.01, 1)), min_size=1),
    st.sampled_from(["none", "balanced", "stream", {"a": 0.1, "c": 7.0}]),
    st.none() | st.floats(1e-3, 1e9),
)
def test_weights_have_mean_one_and_no_class_without_labels_spoils_them(
    rows: list[tuple[int, Slice, float]], classes: object, half_life: float | None
):
    targets, slices, agreed = map(list, zip(*rows, strict=True))
    labels = pool(targets, slices, agreed=agreed, ages=[10.0 * n for n in range(len(rows))],
                  chances=[0.3 if name is A else np.nan for name in slices])  # fmt: skip
    found = weighed(labels, settings(classes=classes, half_life=half_life), CLASSES, 1000.0)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    train = labels.where(T)
    if len(train):
        assert found[train].mean() == pytest.approx(1.0, rel=1e-4)


def test_labels_that_nobody_agrees_on_are_left_at_nothing():
    assert weighed(pool([0, 1], agreed=[0, 0]), settings(), CLASSES, 0.0).tolist() == [0, 0]


def test_a_weight_of_no_class_is_refused_in_a_sentence():
    assert settings(classes={"a": 2.0}).refusal(CLASSES) is None
    assert settings(classes="stream").refusal(CLASSES) is None
    assert settings(classes={"A": 2.0}).refusal(CLASSES) == (
        "weights.classes: 'A' is no class of this pipeline; its classes are a, b, c"
    )
