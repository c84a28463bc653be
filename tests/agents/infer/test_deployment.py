"""A model that can judge nothing gives its place back; samples that no model can judge are to blame."""

import threading
from typing import Any

import numpy as np
import pytest

from siftstream.agents.infer.deployment import BLAMED, Deployment
from siftstream.agents.infer.judging import judged
from tests.agents.infer.parts import NAN, RAISES, FakeModel, deployed


def images(*values: int) -> dict[str, np.ndarray]:
    return {"image": np.array(values, np.uint8).reshape(-1, 1, 1, 1)}


def judge(deployment: Deployment, *values: int) -> tuple[str, list[int], list[int]]:
    """The version that judged, the good rows and the bad ones."""
    said = deployment.judge(images(*values), np.arange(len(values)))
    return said.model.version, said.good.tolist(), sorted(said.bad)


def test_bad_rows_stand_alone_whether_halved_or_tried_singly() -> None:
    values = [1, 2, NAN, 4, 5, 6, RAISES, 8, 9]
    for singly in (False, True):
        model: Any = FakeModel()
        said = judged(model, images(*values), np.arange(9), singly=singly)
        assert said.good.tolist() == [0, 1, 3, 4, 5, 7, 8]
        assert said.emb_BD[:, 0].tolist() == [1, 2, 4, 5, 6, 8, 9]
        assert {row: str(error) for row, error in said.bad.items()} == {
            2: "model v1 answered with a number that is not finite", 6: "the run failed",
        }  # fmt: skip


def test_rows_of_another_line_are_left_alone() -> None:
    model: Any = FakeModel()
    said = judged(model, images(1, 2, NAN, 4, 5), np.array([0, 3]))
    assert (said.good.tolist(), said.emb_BD[:, 0].tolist(), model.sizes) == ([0, 3], [1, 4], [2])


def test_a_new_version_that_can_judge_nothing_gives_its_place_back_and_no_sample_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    deployment = deployed(FakeModel("v1"))
    deployment.deploy(FakeModel("v2", broken=True))  # type: ignore[arg-type]
    version, good, bad = judge(deployment, *range(BLAMED))
    assert (version, good, bad) == ("v1", list(range(BLAMED)), [])
    assert deployment.model is not None
    assert deployment.model.version == "v1"
    (told,) = [entry.getMessage() for entry in caplog.records if entry.levelname == "ERROR"]
    assert told == (
        f"model v2 could judge none of {BLAMED} samples (model v2 answered with a number that is not finite);"
        " v1 can, so it runs again until another version comes"
    )


def test_a_few_bad_samples_do_not_cost_a_new_version_its_place() -> None:
    deployment = deployed(FakeModel("v1"))
    deployment.deploy(FakeModel("v2"))  # type: ignore[arg-type]
    for _ in range(BLAMED - 1):
        assert judge(deployment, NAN) == ("v2", [], [0])
    assert judge(deployment, 1, NAN) == ("v2", [0], [1])
    for _ in range(3 * BLAMED):  # it has proved itself: the samples are to blame
        assert judge(deployment, NAN) == ("v2", [], [0])


def test_samples_that_the_version_before_cannot_judge_either_are_to_blame(
    caplog: pytest.LogCaptureFixture,
) -> None:
    deployment = deployed(FakeModel("v1"))
    deployment.deploy(FakeModel("v2"))  # type: ignore[arg-type]
    for _ in range(8):
        assert judge(deployment, *[RAISES] * BLAMED) == ("v2", [], list(range(BLAMED)))
    errors = [entry.getMessage() for entry in caplog.records if entry.levelname == "ERROR"]
    assert len(errors) == 4  # at 1, 2, 4 and 8 batches, not at each
    assert "v1 neither, so they are dead letters" in errors[0]
    assert judge(deployment, 1) == ("v2", [0], [])


def test_a_model_that_fails_on_everything_costs_two_runs_a_sample_and_not_more() -> None:
    broken = FakeModel("v1", broken=True)
    deployment = deployed(broken)
    judge(deployment, *range(64))
    broken.sizes.clear()
    judge(deployment, *range(64))
    assert sum(broken.sizes) == 2 * 64


def test_a_batch_under_way_when_its_model_was_withdrawn_is_judged_by_the_one_that_runs() -> None:
    deployment, bad = deployed(FakeModel("v1")), FakeModel("v2", broken=True)
    deployment.deploy(bad)  # type: ignore[arg-type]
    bad.gate.clear()
    found: list[Any] = []
    late = threading.Thread(target=lambda: found.append(judge(deployment, 1, 2)))
    late.start()
    assert bad.began.wait(10)
    deployment.deploy(FakeModel("v3"))  # type: ignore[arg-type]
    bad.gate.set()
    late.join(10)
    assert found == [("v3", [0, 1], [])]
