"""Monte-Carlo dropout: passes with masks of their own become members."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from siftstream.models.artifacts import ArtifactStore
from siftstream.models.encoder import Encoder
from siftstream.models.importing import Imported, Options, import_model
from siftstream.models.loaded import LoadedModel
from siftstream.models.settings import ModelSettings
from siftstream.schemas import ModelVersion, VersionStatus
from siftstream.schemas.errors import ModelError
from tests.models import graphs
from tests.models.graphs import BIAS, KERNEL, WEIGHTS, conv, node, pixels

SETTINGS = ModelSettings(providers=("cpu",))
ABC = ("a", "b", "c")


def imported(folder: Path, data: bytes, passes: int) -> Imported:
    file = folder / "drops.onnx"
    file.write_bytes(data)
    return import_model(str(file), Options(classes=ABC, passes=passes))


def loaded(folder: Path, made: Imported, passes: int, previous: Any = None) -> LoadedModel:
    store = ArtifactStore.open(str(folder / "store"))
    version = ModelVersion(
        line="main", version=f"v{passes}", classes=ABC, status=VersionStatus.LIVE, passes=passes,
        encoder=store.put(made.onnx, ".onnx"), head=store.put(made.head.to_bytes(), ".safetensors"),
    )  # fmt: skip
    again = ModelVersion.decode(version.encode())
    return LoadedModel.load(again, store, SETTINGS, classes=ABC, previous=previous)


def early_dropout() -> bytes:
    """Dropout on a picture's channels: nothing before it is a row of numbers."""
    nodes = [node("Conv", "x kernel", "c", pads=[1, 1, 1, 1]), node("Dropout", "c rate", "d")]
    nodes += [node("Relu", "d", "r"), *conv()[2:], node("Gemm", "f w b", "y")]
    return graphs.model(nodes, {"kernel": KERNEL, "rate": np.float32(0.3), "w": WEIGHTS, "b": BIAS})


@pytest.mark.parametrize(("data", "cut"), [(graphs.dropout(), True), (early_dropout(), False)])
def test_each_pass_has_masks_of_its_own(tmp_path: Path, data: bytes, cut: bool) -> None:
    model = loaded(tmp_path, imported(tmp_path, data, 6), 6)
    assert model.passes is not None
    assert (model.passes.trunk is not None) is cut
    probs, emb = model.predict(pixels(4))
    assert (probs.shape, emb.shape, model.members) == ((4, 6, 3), (4, 8), 6)
    np.testing.assert_allclose(probs.sum(axis=2), 1.0, atol=1e-5)
    for other in range(1, 6):
        assert np.abs(probs[:, 0] - probs[:, other]).max() > 1e-3


def test_two_runs_of_the_same_samples_differ_because_nobody_seeds_the_masks(tmp_path: Path) -> None:
    model = loaded(tmp_path, imported(tmp_path, graphs.dropout(), 4), 4)
    assert np.abs(model.predict(pixels())[0] - model.predict(pixels())[0]).max() > 1e-3


def test_the_passes_lie_around_what_the_model_says_without_dropout(tmp_path: Path) -> None:
    made, plain = (imported(tmp_path, graphs.dropout(0.2), passes) for passes in (500, 1))
    _, emb = loaded(tmp_path, made, 500).predict(pixels())
    without = Encoder(plain.onnx, providers=("cpu",)).embed(pixels())
    np.testing.assert_allclose(emb, without, rtol=0.15, atol=0.01)


def test_a_new_head_on_the_same_encoder_borrows_the_cut_graph(tmp_path: Path) -> None:
    made = imported(tmp_path, graphs.dropout(), 4)
    first = loaded(tmp_path, made, 4)
    second = loaded(tmp_path, made, 3, previous=first)
    assert first.passes is not None
    assert second.passes is not None
    assert second.passes.trunk is first.passes.trunk
    assert second.predict(pixels())[0].shape == (4, 3, 3)


def test_no_samples_have_no_passes(tmp_path: Path) -> None:
    probs, emb = loaded(tmp_path, imported(tmp_path, graphs.dropout(), 4), 4).predict(pixels(0))
    assert (probs.shape, emb.shape) == ((0, 4, 3), (0, 8))


@pytest.mark.parametrize("data", [graphs.logits(), graphs.dropout(0.0)])
def test_a_model_without_dropout_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ModelError, match="--mc-dropout: no dropout layer with a rate above 0"):
        imported(tmp_path, data, 4)


def test_a_version_that_asks_for_passes_of_a_model_without_dropout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no dropout layer is active"):
        loaded(tmp_path, imported(tmp_path, graphs.logits(), 1), 4)
