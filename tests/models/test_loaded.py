"""A loaded model: encoder, head, classes and pipeline fit, or one sentence says what does not."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from siftstream.models.artifacts import ArtifactStore
from siftstream.models.cnn import spare_cnn
from siftstream.models.encoder import Encoder
from siftstream.models.head import Head
from siftstream.models.loaded import LoadedModel
from siftstream.models.providers import lacks
from siftstream.models.settings import ModelSettings
from siftstream.schemas import ModelVersion, VersionStatus
from siftstream.schemas.arrays import ArraySpec
from siftstream.schemas.errors import ModelError

SETTINGS = ModelSettings(providers=("cpu",), dim=8)
SHAPE = (1, 8, 8)
SPECS = {"image": ArraySpec(SHAPE, np.dtype(np.uint8))}


def publish(store: ArtifactStore, *, members: int = 2, dim: int = 8, classes: int = 3) -> ModelVersion:
    encoder = store.put(spare_cnn(SHAPE, dim=8), ".onnx")
    head = store.put(Head.uniform(members, dim, classes).to_bytes(), ".safetensors")
    return ModelVersion(
        line="main",
        version="v1",
        classes=("a", "b", "c"),
        status=VersionStatus.LIVE,
        encoder=encoder,
        head=head,
    )


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore.open(str(tmp_path))


def test_a_published_version_predicts(store: ArtifactStore) -> None:
    version = publish(store)
    model = LoadedModel.load(version, store, SETTINGS, classes=["a", "b", "c"], specs=SPECS)
    probs, emb = model.predict(np.zeros((5, *SHAPE), np.uint8))
    assert (probs.shape, emb.shape) == ((5, 2, 3), (5, 8))
    assert (model.version, model.encoder.sha256) == ("v1", version.encoder and version.encoder.sha256)


def test_a_version_that_would_run_on_another_provider_than_required_is_refused(store: ArtifactStore) -> None:
    if (reason := lacks("cuda")) is None:
        pytest.skip("CUDA may run here")
    running = LoadedModel.load(publish(store), store, SETTINGS)
    required = SETTINGS.model_copy(update={"require": "cuda"})
    with pytest.raises(ModelError, match=f"cuda does not run here .cuda {reason}"):
        LoadedModel.load(publish(store), store, required)
    assert running.encoder.choice.provider == "cpu"
    assert LoadedModel.load(publish(store), store, required.anywhere()).encoder.choice.provider == "cpu"


def test_a_version_with_the_same_encoder_borrows_its_session(store: ArtifactStore) -> None:
    version = publish(store)
    first = LoadedModel.load(version, store, SETTINGS)
    second = LoadedModel.load(version, store, SETTINGS, previous=first)
    assert second.encoder is first.encoder


def test_the_spare_model_thinks_every_class_equally_likely() -> None:
    model = LoadedModel.spare(SPECS, ["a", "b", "c", "d"], SETTINGS)
    probs, _ = model.predict(np.zeros((2, *SHAPE), np.uint8))
    assert (probs == 0.25).all()


def test_a_failed_version_has_nothing_to_load(store: ArtifactStore) -> None:
    failed = ModelVersion(line="main", version="v2", classes=("a", "b"), status=VersionStatus.FAILED)
    with pytest.raises(ModelError, match="v2: is failed and has nothing to load"):
        LoadedModel.load(failed, store, SETTINGS)


def test_a_head_for_other_classes_is_refused(store: ArtifactStore) -> None:
    with pytest.raises(ModelError, match="the head knows 4 classes, the version names 3"):
        LoadedModel.load(publish(store, classes=4), store, SETTINGS)


def test_a_head_for_another_encoder_is_refused(store: ArtifactStore) -> None:
    with pytest.raises(ModelError, match="the head reads embeddings of 9, the encoder makes 8"):
        LoadedModel.load(publish(store, dim=9), store, SETTINGS)


def test_a_version_of_other_classes_than_the_pipeline_is_refused(store: ArtifactStore) -> None:
    with pytest.raises(ModelError, match=r"classes a, b, c \(3\), this pipeline has a, b \(2\)"):
        LoadedModel.load(publish(store), store, SETTINGS, classes=("a", "b"))


def test_a_version_of_another_input_shape_is_refused(store: ArtifactStore) -> None:
    specs = {"image": ArraySpec((3, 8, 8), np.dtype(np.uint8))}
    with pytest.raises(ModelError, match="reads input uint8 1x8x8, the transform makes image uint8 3x8x8;"):
        LoadedModel.load(publish(store), store, SETTINGS, specs=specs)


def test_an_encoder_and_a_head_that_do_not_fit_make_no_model() -> None:
    encoder = Encoder(spare_cnn(SHAPE, dim=8), providers=("cpu",))
    with pytest.raises(ModelError, match="different versions"):
        LoadedModel("v1", ("a",), encoder, Head.uniform(1, 4, 1))


def test_running_and_judging_and_asking_for_training_never_import_torch() -> None:
    code = (
        "import sys; import siftstream.models.loaded, siftstream.models.judging.judge;"
        "import siftstream.models.training;"
        "sys.exit(sorted({'torch', 'onnx', 'boto3', 'scipy'} & set(sys.modules)) != [])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
