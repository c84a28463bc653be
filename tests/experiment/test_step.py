"""A step trains as the trainer's child does, tests, and chooses."""

import numpy as np
import pytest

from siftstream.experiment.plan import plans
from siftstream.experiment.step import step, trained
from siftstream.schemas.errors import StrategyError
from tests.experiment.made import made

NONE = np.zeros(0, np.int64)


def test_all_strategies_of_a_seed_start_from_the_same_random_labels() -> None:
    first = [step(made(), plan, 3, NONE, 10).chosen for plan in plans("random, margin, k_center")]
    assert first[0] == first[1] == first[2]
    assert first[0] != step(made(), plans("margin")[0], 4, NONE, 10).chosen


def test_a_strategy_before_the_plus_chooses_the_first_labels() -> None:
    material = made()
    found = step(material, plans("k_means+margin")[0], 0, NONE, 6)
    assert found.accuracy is None
    assert len(set(found.chosen)) == 6
    assert set(found.chosen) <= set(material.split(0).stream.tolist())
    assert {material.classes_N[row] for row in found.chosen} == {0, 1, 2}


def test_a_step_hangs_on_the_labelled_rows_alone_and_never_chooses_a_tested_one() -> None:
    material = made()
    labelled = material.split(0).stream[:20]
    found = step(material, plans("margin")[0], 0, labelled, 5)
    assert found == step(material, plans("margin")[0], 0, labelled, 5)
    assert found.accuracy is not None
    assert found.accuracy > 0.6
    assert len(found.chosen) == 5
    assert not set(found.chosen) & {*labelled.tolist(), *material.split(0).test.tolist()}


def test_margin_chooses_what_the_trained_head_is_least_sure_of() -> None:
    material, plan = made(), plans("margin")[0]
    split = material.split(0)
    labelled = split.stream[:20]
    model = trained(material, plan, labelled, seed=0)
    probs = np.sort(model.head.probs(model.embed(split.stream[20:]))[:, 0], axis=1)
    expected = split.stream[20:][np.argsort(probs[:, -1] - probs[:, -2])[:3]]
    assert step(material, plan, 0, labelled, 3).chosen == expected.tolist()


def test_a_committee_gets_a_head_of_several_members() -> None:
    material = made()
    labelled = material.split(0).stream[:20]
    assert trained(material, plans("bald")[0], labelled, 0).head.members == 5
    assert trained(material, plans("margin")[0], labelled, 0).head.members == 1


def test_what_a_strategy_lacks_is_told() -> None:
    material = made()
    plan, labelled = plans("{name: score_column, column: x}")[0], material.split(0).stream[:9]
    with pytest.raises(StrategyError, match="column"):
        step(material, plan, 0, labelled, 3)
