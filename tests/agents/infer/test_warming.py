"""A new model makes its first runs on dummy samples; what that shows of it."""

from typing import Any

import numpy as np
import pytest

from siftstream.agents.infer.warming import warm
from siftstream.models.encoder import Encoder
from siftstream.models.head import Head
from siftstream.models.loaded import LoadedModel
from siftstream.schemas.arrays import ArraySpec
from siftstream.schemas.errors import InferenceError, ModelError
from tests.agents.infer.graphs import DIM, encoder

SPECS = {"image": ArraySpec((1, 8, 8), np.dtype(np.uint8))}


def loaded(onnx: bytes) -> LoadedModel:
    return LoadedModel("v1", ("no", "yes"), Encoder(onnx), Head.uniform(1, DIM, 2))


class Sizes:
    """Notes the sizes of runs; fails on those over `most`."""

    def __init__(self, most: int = 1000) -> None:
        self.version, self.most, self.sizes = "v1", most, list[int]()

    def predict(self, inputs: Any) -> None:
        self.sizes.append(len(inputs["image"]))
        if self.sizes[-1] > self.most:
            raise InferenceError("out of memory")


def test_one_sample_and_the_usual_batch_are_run() -> None:
    model: Any = Sizes()
    warm(model, SPECS, 128)
    assert model.sizes == [1, 128]


def test_a_real_model_passes() -> None:
    warm(loaded(encoder()), SPECS, 16)


def test_a_model_that_runs_no_batches_is_refused() -> None:
    with pytest.raises(ModelError, match=r"v1: runs one sample but not 16 at once: .*export it with a free"):
        warm(loaded(encoder(one_row=True)), SPECS, 16)
    with pytest.raises(ModelError, match="out of memory"):
        warm(Sizes(most=4), SPECS, 16)  # type: ignore[arg-type]


def test_a_model_that_cannot_judge_the_dummy_is_let_through_because_real_samples_may_differ(
    caplog: pytest.LogCaptureFixture,
) -> None:
    warm(loaded(encoder(broken=True)), SPECS, 16)
    assert "cannot judge a dummy sample" in caplog.text
