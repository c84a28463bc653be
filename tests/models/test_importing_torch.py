"""Import of torch modules, a user's own and those of libraries (fakes: nothing is downloaded)."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxscript")

from siftstream.models.encoder import Encoder
from siftstream.models.importing import Imported, Options, import_model
from siftstream.models.importing.options import InputOption
from siftstream.models.importing.sources import LIBRARIES
from siftstream.models.passes import Passes
from siftstream.schemas import ModelInput
from siftstream.schemas.errors import ConfigError, ModelError
from tests.models.graphs import pixels

pytestmark = pytest.mark.timeout(300)  # the first export of a process imports half of torch

ABC = ("a", "b", "c")
HERE = "torch:tests.models.torch_models"


def imported(source: str, *inputs: str, told: list[str] | None = None, **options: Any) -> Imported:
    wanted = Options(classes=ABC, inputs=tuple(InputOption.parse(words) for words in inputs), **options)
    return import_model(source, wanted, told=(told if told is not None else []).append)


def opened(onnx: bytes) -> Encoder:
    return Encoder(onnx, providers=("cpu",))


def test_a_module_with_dropout_keeps_it_active_and_says_the_same_without() -> None:
    told: list[str] = []
    made = imported(f"{HERE}:seeded_cnn", "3x16x16", told=told, mean=(0.5,), std=(0.25,), passes=5)
    assert any("exported in" in words for words in told)
    assert any("probabilities differ from the original's by" in words for words in told)
    assert (made.passes, made.head.dim, made.known, made.difference < 1e-5) == (5, 8, True, True)
    assert made.inputs == {"input": ModelInput(shape=(3, 16, 16), dtype="uint8")}
    passes = Passes.of(made.onnx, opened(made.onnx), 5, opened)
    emb = passes.embed(pixels(2))
    assert passes.trunk is not None
    assert (emb == 0).any()
    assert np.abs(emb[:, 0] - emb[:, 1]).max() > 1e-3


def test_a_text_module_reads_any_length_and_ignores_what_is_masked() -> None:
    made = imported(f"{HERE}:Text", "input_ids=any:int64", "attention_mask=any:int64")
    assert made.inputs["input_ids"] == ModelInput(shape=(None,), dtype="int64")
    encoder = opened(made.onnx)
    short = {"input_ids": np.array([[3, 4, 5]]), "attention_mask": np.ones((1, 3), np.int64)}
    long = {"input_ids": np.array([[3, 4, 5, 9, 9]]), "attention_mask": np.array([[1, 1, 1, 0, 0]])}
    np.testing.assert_allclose(encoder.embed(short), encoder.embed(long), atol=1e-5)


def test_a_sound_module_that_gives_probabilities_is_cut_before_its_last_layer() -> None:
    made = imported(f"{HERE}:Audio", "wave=800")
    assert made.inputs == {"wave": ModelInput(shape=(800,), dtype="float32")}
    assert (made.head.dim, made.known) == (8, True)


@pytest.mark.parametrize(
    ("source", "inputs", "kind", "sentence"),
    [
        ("torch:nowhere", ("3",), ConfigError, "write it as torch:package.module:function"),
        ("torch:", (), ConfigError, "names no model; write torch:NAME"),
        ("hub:name", (), ConfigError, "write it as hub:OWNER/REPO:NAME, or hub:FOLDER:NAME"),
        ("torch:nowhere.at:all", ("3",), ConfigError, "cannot be imported: No module named 'nowhere'"),
        (f"{HERE}:nothing", ("3",), ConfigError, "cannot be imported: module .* has no attribute"),
        (f"{HERE}:Cnn", (), ConfigError, "needs --input"),
        (f"{HERE}:broken", ("3",), ModelError, r"broken\(\) failed: RuntimeError: no weights here"),
        (f"{HERE}:no_module", ("3",), ModelError, "returned int, a torch.nn.Module expected"),
    ],
)
def test_what_is_no_module_is_told(
    source: str, inputs: tuple[str, ...], kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        imported(source, *inputs)


def test_weights_come_from_a_safetensors_file_and_must_fit(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from siftstream.models.importing.torch_callable import module
    from tests.models.torch_models import Cnn

    other = Cnn()
    save_file(other.state_dict(), tmp_path / "w.safetensors")
    options = Options(
        classes=ABC, inputs=(InputOption("x", (3, 16, 16)),), weights=tmp_path / "w.safetensors"
    )
    made = module("tests.models.torch_models:seeded_cnn", options)
    assert bool((made.module.last.weight == other.last.weight).all())
    assert "weights of w.safetensors" in made.words
    (tmp_path / "w.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"--weights w\.safetensors: do not fit the model or cannot be read"):
        module("tests.models.torch_models:seeded_cnn", options)


@pytest.mark.parametrize(
    ("source", "package"),
    [("torchvision:resnet18", "torchvision"), ("timm:x", "timm"), ("hf:x", "transformers")],
)
def test_a_library_that_is_not_installed_is_named(
    source: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (package, f"{package}.models"):
        monkeypatch.setitem(sys.modules, name, None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=rf"{source} needs the package {package}.*: pip install {package}"):
        imported(source)


def fake(monkeypatch: pytest.MonkeyPatch, name: str, **members: Any) -> None:
    module = ModuleType(name)
    vars(module).update(members)
    monkeypatch.setitem(sys.modules, name, module)


def library(kind: str, name: str, **options: Any) -> Any:
    from importlib import import_module

    return import_module(LIBRARIES[kind]).module(name, Options(classes=ABC, **options))


def test_torchvision_tells_normalisation_size_and_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.models.torch_models import Cnn

    preset = SimpleNamespace(crop_size=[16], mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    default = SimpleNamespace(name="V1", transforms=lambda: preset, meta={"categories": ["c", "b", "a"]})
    wanted: list[Any] = []

    def get_model(name: str, weights: Any) -> Any:
        wanted.append(weights)
        return Cnn()

    def get_weights(name: str) -> Any:
        if name != "tiny":
            raise ValueError(f"Unknown model {name}")
        return SimpleNamespace(DEFAULT=default)

    fake(monkeypatch, "torchvision")
    fake(monkeypatch, "torchvision.models", get_model=get_model, get_model_weights=get_weights)
    made = imported("torchvision:tiny")
    assert made.known
    plain = library("torchvision", "tiny", random=True)
    assert (plain.mean, plain.std, plain.classes) == (preset.mean, preset.std, ())
    assert plain.inputs == (InputOption("image", (3, 16, 16)),)
    assert wanted == [default, None]
    with pytest.raises(ConfigError, match="torchvision has no model of that name"):
        library("torchvision", "other")


def test_timm_tells_normalisation_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.models.torch_models import Cnn

    config = {"input_size": (3, 24, 24), "mean": (0.5, 0.5, 0.5), "std": (0.2, 0.2, 0.2)}
    fake(
        monkeypatch,
        "timm",
        is_model=lambda name: name == "tiny",
        create_model=lambda name, pretrained: Cnn(),
        data=SimpleNamespace(resolve_model_data_config=lambda model: config),
    )
    made = library("timm", "tiny.in1k")
    assert (made.mean, made.std, made.inputs[0].shape) == (config["mean"], config["std"], (3, 24, 24))
    assert made.words == "tiny.in1k of timm, its own weights"
    with pytest.raises(ConfigError, match="timm has no model of that name"):
        library("timm", "other")


def test_a_hugging_face_classifier_comes_with_its_head_and_class_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.models.torch_models import TextForSequenceClassification

    config = SimpleNamespace(
        architectures=["TextForSequenceClassification"], id2label={0: "b", 1: "c", 2: "a"}, image_size=None
    )

    def refuse(name: str) -> Any:
        if name != "org/tiny":
            raise OSError(f"{name} is not a local folder")
        return config

    auto = SimpleNamespace(
        from_pretrained=lambda name: TextForSequenceClassification(),
        from_config=lambda config: TextForSequenceClassification(),
    )
    fake(
        monkeypatch,
        "transformers",
        AutoConfig=SimpleNamespace(from_pretrained=refuse),
        AutoModelForSequenceClassification=auto,
        TextForSequenceClassification=TextForSequenceClassification,
    )
    told: list[str] = []
    made = imported("hf:org/tiny", told=told)
    assert (made.name, made.known, made.head.classes) == ("tiny", True, 3)
    assert "3 of the model's 3 classes, in the pipeline's order" in told
    with pytest.raises(ModelError, match="transformers cannot load it: other is not a local folder"):
        imported("hf:other")
