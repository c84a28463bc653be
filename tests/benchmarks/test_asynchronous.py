"""The asynchronous trial: its virtual clock is checked against the timeline worked out by hand."""

import pytest

from benchmarks.asynchronous import Rules, Trial, run, table
from benchmarks.label_savings.data import Data, digits

FEW = 300


@pytest.fixture(scope="module")
def data() -> Data:
    whole = digits()
    return Data(whole.features_ND[:FEW], whole.classes_N[:FEW])


def trial(data: Data, servers: int, training: float, batch: int = 20) -> Trial:
    return run(data, 1.0, Rules(servers, training, batch, labels=40, strategy="random"), 0)


@pytest.mark.parametrize(
    ("servers", "versions"),
    # 20 labels come at 1, 2, ... 20. One server claims at 1 and is done at 4, claims again at 4, ...: done
    # at 4, 7, 10, 13, 16 and 19. Two claim at 1, 2, 4, 5, ...: all but each third. Three claim at every
    # label, and what was claimed at 1 to 17 is done by 20.
    [(1, 6), (2, 12), (3, 17), (4, 17)],
)
def test_versions_come_as_the_timeline_says(data: Data, servers: int, versions: int) -> None:
    found = trial(data, servers, 3)
    assert found.versions == versions
    assert found.waited == 0


def test_the_synchronous_annotator_waits_for_each_training(data: Data) -> None:
    found = trial(data, 0, 3)
    assert (found.versions, found.waited, found.ended) == (1, 3, 23)
    found = trial(data, 0, 3, batch=1)
    assert (found.versions, found.waited, found.ended) == (20, 60, 80)


def test_labels_that_no_version_knows_stay_below_training_time_and_a_claim(data: Data) -> None:
    assert max(trial(data, 3, 3).unseen) == 3
    assert max(trial(data, 1, 10).unseen) == 19
    assert trial(data, 0, 3).unseen == list(range(1, 21))


def test_the_table_names_each_way(data: Data) -> None:
    lines = table(3, {"one": [trial(data, 0, 3)], "two": [trial(data, 1, 3)]})
    assert "| one |" in lines
    assert "| 13% | 20.0 | 10.5 (20) |" in lines
