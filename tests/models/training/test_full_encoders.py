"""Full mode on encoders of libraries (stand-ins: nothing is downloaded) and on factories of the user's."""

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

pytest.importorskip("onnxscript")

from siftstream.models.training.full import Full, train_full
from siftstream.models.training.full.learner import learner_of
from siftstream.models.training.full.library import Library
from siftstream.models.training.job import ENCODER, TENSORS, Job
from siftstream.models.training.settings import FullSettings
from siftstream.schemas import ModelInput, Slice
from siftstream.schemas.arrays import Arrays
from siftstream.schemas.errors import ConfigError, ModelError, TrainingError
from tests.models.torch_models import Cnn
from tests.models.training.pictures import job, settings

pytestmark = pytest.mark.timeout(300)  # the first export of a process imports half of torch

HERE = "tests.models.torch_models"
QUICK: dict[str, Any] = {"epochs": 1, "min_steps": 3, "augment": {"shift": 0}}


def on(encoder: str, inputs: Arrays | None = None, **full: Any) -> Job:
    """A job on an encoder; three classes, as the stand-ins have."""
    what = job(settings(encoder=encoder, **{**QUICK, **full}), inputs=inputs)
    return replace(what, classes=("a", "b", "c"))


def texts() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 7, 80)
    ids = rng.integers(1, 50, (80, 6))
    return {"input_ids": ids, "attention_mask": (np.arange(6) < lengths[:, None]).astype(np.int64)}


def colours() -> dict[str, np.ndarray]:
    return {"image": np.random.default_rng(0).integers(0, 256, (80, 3, 16, 16)).astype(np.uint8)}


def trained(folder: Path, what: Job) -> Full:
    folder.mkdir(exist_ok=True)
    return train_full(what, folder, lambda _: None)


def fake(monkeypatch: pytest.MonkeyPatch, name: str, **members: Any) -> None:
    module = ModuleType(name)
    vars(module).update(members)
    monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def torchvision(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A torchvision of one model, `tiny`; the list hears which weights are asked for."""
    preset = SimpleNamespace(crop_size=[16], mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    default = SimpleNamespace(name="V1", transforms=lambda: preset, meta={})
    asked: list[Any] = []

    def get_model(name: str, weights: Any) -> Any:
        asked.append(weights)
        return Cnn()

    fake(monkeypatch, "torchvision")
    fake(
        monkeypatch, "torchvision.models", get_model=get_model,
        get_model_weights=lambda name: SimpleNamespace(DEFAULT=default),
    )  # fmt: skip
    return asked


def test_a_text_encoder_learns_and_is_cut_before_its_classes(tmp_path: Path) -> None:
    given = texts()
    what = on(f"{HERE}:Text", given, epochs=40, learning_rate=0.01)
    targets = (given["input_ids"][:, 0] < 25).astype(np.int64)
    full = trained(tmp_path, replace(what, targets=targets))
    assert full.encoder.inputs == {name: ModelInput(shape=(6,), dtype="int64") for name in given}
    assert (full.encoder.dim, full.difference < 1e-4) == (16, True)
    learned = what.where(Slice.TRAIN)
    probs = full.fitted.head.probs(full.encoder.embed({n: a[learned] for n, a in given.items()}))
    assert (probs.mean(1).argmax(1) == targets[learned]).mean() > 0.9


def test_a_library_reads_images_normalised_as_it_was_trained(tmp_path: Path, torchvision: list[Any]) -> None:
    full = trained(tmp_path, on("torchvision:tiny", colours()))
    assert full.encoder.inputs == {"image": ModelInput(shape=(3, 16, 16), dtype="uint8")}
    assert (full.encoder.dim, full.difference < 1e-4) == (8, True)
    assert torchvision[0].name == "V1"
    model = onnx.load(tmp_path / ENCODER)
    assert model.opset_import[0].version == 20
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)


def test_its_weights_are_random_where_that_is_said_and_the_rate_is_higher(torchvision: list[Any]) -> None:
    made = [
        Library(colours(), ("a", "b", "c"), FullSettings(encoder="torchvision:tiny", pretrained=own))
        for own in (True, False)
    ]
    assert [weights and weights.name for weights in torchvision] == ["V1", None]
    assert [learner.rate for learner in made] == [0.0002, 0.001]


def test_grey_images_are_shown_in_the_three_colours_that_a_library_knows(
    tmp_path: Path, torchvision: list[Any]
) -> None:
    full = trained(tmp_path, on("torchvision:tiny"))
    assert full.encoder.inputs == {"image": ModelInput(shape=(1, 8, 8), dtype="uint8")}
    assert full.difference < 1e-4


def test_the_weights_carry_the_modules_own_names_and_start_the_next_run(
    tmp_path: Path, torchvision: list[Any]
) -> None:
    trained(tmp_path / "one", on("torchvision:tiny", colours()))
    start = (tmp_path / "one" / TENSORS).read_bytes()
    learner = learner_of(on("torchvision:tiny", colours()))
    assert {"conv.weight", "norm.running_mean", "norm.num_batches_tracked"} <= set(learner.tensors())
    warm = trained(tmp_path / "two", replace(on("torchvision:tiny", colours()), start=start))
    assert warm.notes[0] == "warm start: with the live version's encoder and heads"
    other = trained(tmp_path / "three", replace(on("torchvision:tiny"), start=b""))
    assert "begins fresh" in other.notes[0]


def test_a_factory_reads_whole_grey_levels_also_where_they_are_augmented(tmp_path: Path) -> None:
    shaken = {"shift": 1, "flip": True, "brightness": 0.3, "contrast": 0.3, "erase": 0.3}
    full = trained(tmp_path, on(f"{HERE}:Pixels", augment=shaken))
    assert full.encoder.inputs == {"image": ModelInput(shape=(1, 8, 8), dtype="uint8")}
    assert (full.encoder.dim, full.difference < 1e-4) == (8, True)


def test_the_same_seed_makes_the_same_bits(tmp_path: Path) -> None:
    for name in ("one", "two"):
        trained(tmp_path / name, on(f"{HERE}:Pixels"))
    for file in (ENCODER, TENSORS):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_steps_are_averaged_where_the_mask_lets_them_through() -> None:
    import torch

    given = texts()
    learner = learner_of(on(f"{HERE}:Steps", given))
    arrays = {name: torch.from_numpy(array[:5]) for name, array in given.items()}
    found = learner.embed(arrays)
    table = learner.tensors()["embedding.weight"]
    for row in range(5):
        seen = given["input_ids"][row][given["attention_mask"][row] == 1]
        np.testing.assert_allclose(found[row].detach().numpy(), table[seen].mean(axis=0), atol=1e-6)


def test_hub_makes_what_a_folder_says(tmp_path: Path) -> None:
    (tmp_path / "hubconf.py").write_text(
        "from tests.models.torch_models import Cnn\n"
        "def tiny(pretrained=False):\n    made = Cnn()\n    made.told = pretrained\n    return made\n"
        "def plain():\n    return Cnn()\n"
    )
    made = Library(colours(), ("a", "b", "c"), FullSettings(encoder=f"hub:{tmp_path}:tiny"))
    assert (made.dim, made.net.module.told, made.cut) == (8, True, "last")
    assert Library(colours(), ("a", "b", "c"), FullSettings(encoder=f"hub:{tmp_path}:plain")).dim == 8
    with pytest.raises(ModelError, match=r"cannot be had: .* set retrain.train.full.pretrained: false"):
        Library(colours(), ("a",), FullSettings(encoder=f"hub:{tmp_path}:other"))


@pytest.mark.parametrize(
    ("encoder", "kind", "sentence"),
    [
        ("nowhere.at:all", ConfigError, "cannot be imported: No module named 'nowhere'"),
        (f"{HERE}:broken", ModelError, r"broken\(\) failed: RuntimeError: no weights here"),
        (f"{HERE}:Cnn", TrainingError, r"Cnn fails on inputs uint8 \[2, 1, 8, 8\]"),
        (f"{HERE}:answers_by_batch", TrainingError, "differs from torch's by .*on other samples of a batch"),
    ],
)
def test_what_is_no_encoder_is_told(
    tmp_path: Path, encoder: str, kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        trained(tmp_path, on(encoder))


def test_an_encoder_that_ends_in_probabilities_is_refused(tmp_path: Path) -> None:
    waves = {"wave": np.random.default_rng(0).standard_normal((80, 400)).astype(np.float32)}
    with pytest.raises(TrainingError, match="ends in a softmax behind its layer last: let it return"):
        trained(tmp_path, on(f"{HERE}:Audio", waves))


@pytest.mark.parametrize("encoder", ["torchvision:resnet18", "timm:resnet18", "hf:tiny"])
def test_a_library_that_is_not_installed_is_named(encoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torchvision", "torchvision.models", "timm", "transformers"):
        monkeypatch.setitem(sys.modules, name, None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=f"{encoder} needs the package .*: pip install"):
        learner_of(on(encoder, colours()))


@pytest.mark.parametrize("encoder", ["resnet18", "hub:name", "a b:c", "torch:pack.age:make"])
def test_a_name_of_no_encoder_is_refused_with_the_configuration(encoder: str) -> None:
    with pytest.raises(ValueError, match="names no encoder; write cnn, torchvision:NAME"):
        FullSettings(encoder=encoder)
