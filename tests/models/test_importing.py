"""Import of ONNX files: whatever they hold, the probabilities stay, and what was done is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto

from siftstream.models.cnn import spare_cnn
from siftstream.models.encoder import Encoder
from siftstream.models.head import Head, softmax
from siftstream.models.importing import Imported, Options, import_model
from siftstream.models.importing.options import InputOption
from siftstream.schemas import ModelInput
from siftstream.schemas.arrays import ArraySpec
from siftstream.schemas.errors import ConfigError, ModelError
from tests.models import graphs
from tests.models.graphs import BIAS, CONV, WEIGHTS, conv, node, pixels

ABC = ("a", "b", "c")
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


class Importing:
    """Imports ONNX bytes and keeps what was told."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.told = folder, list[str]()

    def __call__(self, data: bytes, *, specs: Any = None, samples: Any = None, **options: Any) -> Imported:
        file = self.folder / "mine.onnx"
        file.write_bytes(data)
        wanted = Options(**{"classes": ABC, **options})
        return import_model(str(file), wanted, samples=samples, specs=specs, told=self.told.append)

    def heard(self, words: str) -> bool:
        return any(words in told for told in self.told)


@pytest.fixture
def importing(tmp_path: Path) -> Importing:
    return Importing(tmp_path)


def original(data: bytes, inputs: dict[str, Any]) -> np.ndarray:
    return ort.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, inputs)[0]  # type: ignore[no-any-return]


def probabilities(made: Imported, inputs: Any) -> np.ndarray:
    return made.head.probs(Encoder(made.onnx, providers=("cpu",)).embed(inputs))[:, 0]


def normal(images: np.ndarray, mean: Any = MEAN, std: Any = STD) -> np.ndarray:
    mean, std = np.array(mean, np.float32)[:, None, None], np.array(std, np.float32)[:, None, None]
    return (images.astype(np.float32) / 255 - mean) / std


@pytest.mark.parametrize("matmul", [False, True])
@pytest.mark.parametrize("squash", ["", "Softmax", "LogSoftmax"])
def test_a_plain_classifier_is_cut_before_its_linear_layer(
    importing: Importing, squash: str, matmul: bool
) -> None:
    data = graphs.logits(squash=squash, matmul=matmul)
    made = importing(data, mean=MEAN, std=STD)
    said = original(data, {"x": normal(pixels())})
    wanted = said if squash == "Softmax" else np.exp(said) if squash else softmax(said)
    np.testing.assert_allclose(probabilities(made, pixels()), wanted, atol=1e-5)
    assert (made.head.dim, made.known, made.passes) == (8, True, 1)
    np.testing.assert_array_equal(made.head.weights_MDC[0], WEIGHTS)
    assert made.inputs == {"x": ModelInput(shape=(3, 16, 16), dtype="uint8")}
    assert importing.heard("head = its 3 rows")
    assert importing.heard("normalised in the graph")
    assert importing.heard("probabilities differ from the original's by")


def test_without_mean_and_std_pixels_are_scaled_and_that_is_told(importing: Importing) -> None:
    data = graphs.logits()
    made = importing(data)
    wanted = softmax(original(data, {"x": pixels().astype(np.float32) / 255}))
    np.testing.assert_allclose(probabilities(made, pixels()), wanted, atol=1e-5)
    assert importing.heard("give --mean and --std")


def test_a_raw_import_leaves_the_input_alone(importing: Importing) -> None:
    assert importing(graphs.logits(), raw=True).inputs["x"].dtype == "float32"


def test_channels_that_come_last_are_moved_for_the_model(importing: Importing) -> None:
    nodes = [node("Transpose", "x", "t", perm=[0, 3, 1, 2]), node("Conv", "t kernel", "c", pads=[1, 1, 1, 1])]
    nodes += [*conv()[1:], node("Gemm", "f w b", "y")]
    data = graphs.model(nodes, {**CONV, "w": WEIGHTS, "b": BIAS}, shape=("n", 16, 20, 3))
    made = importing(data, mean=MEAN, std=STD)
    images = pixels(4, (3, 16, 20))
    wanted = softmax(original(data, {"x": normal(images).transpose(0, 2, 3, 1)}))
    np.testing.assert_allclose(probabilities(made, images), wanted, atol=1e-5)
    assert importing.heard("channels moved last")


def test_one_sigmoid_becomes_two_classes(importing: Importing) -> None:
    nodes = [*conv(), node("Gemm", "f w b", "z"), node("Sigmoid", "z", "y")]
    data = graphs.model(nodes, {**CONV, "w": WEIGHTS[:, :1], "b": BIAS[:1]})
    made = importing(data, classes=("no", "yes"))
    said = original(data, {"x": pixels().astype(np.float32) / 255})
    np.testing.assert_allclose(probabilities(made, pixels()), np.hstack([1 - said, said]), atol=1e-5)


def test_several_sigmoids_are_refused(importing: Importing) -> None:
    with pytest.raises(ModelError, match="3 sigmoids, so classes that go together"):
        importing(graphs.logits(squash="Sigmoid"))


def test_logits_without_a_linear_layer_are_the_embedding(importing: Importing) -> None:
    nodes = [*conv(), node("Gemm", "f w b", "z"), node("Mul", "z scale", "y")]
    data = graphs.model(nodes, {**CONV, "w": WEIGHTS, "b": BIAS, "scale": np.float32(3)})
    made = importing(data)
    wanted = softmax(original(data, {"x": pixels().astype(np.float32) / 255}))
    np.testing.assert_allclose(probabilities(made, pixels()), wanted, atol=1e-5)
    assert made.head.dim == 3
    assert importing.heard("embedding = the 3 logits")


def test_probabilities_of_any_making_become_logarithms(importing: Importing) -> None:
    nodes = [*conv(), node("Gemm", "f w b", "z"), node("Exp", "z", "e"), node("ReduceSum", "e axis", "s")]
    weights = {**CONV, "w": WEIGHTS, "b": BIAS, "axis": np.array([1], np.int64)}
    data = graphs.model([*nodes, node("Div", "e s", "y")], weights)
    made = importing(data)
    wanted = original(data, {"x": pixels().astype(np.float32) / 255})
    np.testing.assert_allclose(probabilities(made, pixels()), wanted, atol=1e-5)
    assert importing.heard("logarithms of the 3 probabilities")


def test_the_native_form_is_taken_as_it_is_with_its_head(importing: Importing, tmp_path: Path) -> None:
    encoder = spare_cnn((3, 16, 16), dim=8)
    head = Head(WEIGHTS[None], BIAS[None], 2.0)
    (tmp_path / "head.safetensors").write_bytes(head.to_bytes())
    made = importing(encoder, head=tmp_path / "head.safetensors")
    assert (made.known, made.head.temperature) == (True, 2.0)
    before, after = (Encoder(onnx, providers=("cpu",)).embed(pixels()) for onnx in (encoder, made.onnx))
    np.testing.assert_array_equal(before, after)


def test_an_encoder_without_a_head_gets_one_that_knows_nothing(importing: Importing) -> None:
    made = importing(spare_cnn((3, 16, 16), dim=8))
    assert not made.known
    assert (probabilities(made, pixels()) == np.float32(1 / 3)).all()
    assert importing.heard("no head is known")


@pytest.mark.parametrize(("tensor", "dim"), [("f", 8), ("r", 8), ("z", 3)])
def test_a_named_tensor_becomes_the_embedding_averaged_over_its_places(
    importing: Importing, tensor: str, dim: int
) -> None:
    made = importing(graphs.logits(), embedding=tensor)
    assert (made.head.dim, made.known) == (dim, False)
    emb = Encoder(made.onnx, providers=("cpu",)).embed(pixels())
    if dim == 8:
        whole = importing(graphs.logits())
        np.testing.assert_allclose(emb, Encoder(whole.onnx, providers=("cpu",)).embed(pixels()), atol=1e-5)


def test_a_tensor_that_is_not_there_is_told_with_some_that_are(importing: Importing) -> None:
    with pytest.raises(ModelError, match=r"--embedding q: no tensor of that name; the last ones are .*z, y"):
        importing(graphs.logits(), embedding="q")


def test_a_fixed_batch_of_one_is_freed(importing: Importing) -> None:
    nodes = [*conv()[:3], node("Reshape", "p shape", "f"), node("Gemm", "f w b", "y")]
    weights = {**CONV, "w": WEIGHTS, "b": BIAS, "shape": np.array([1, 8], np.int64)}
    data = graphs.model(nodes, weights, shape=(1, 3, 16, 16))
    made = importing(data)
    images = pixels(3)
    alone = [original(data, {"x": image[None].astype(np.float32) / 255}) for image in images]
    np.testing.assert_allclose(probabilities(made, images), softmax(np.concatenate(alone)), atol=1e-5)
    assert importing.heard("the batch axis was fixed at 1: free now")


def test_a_fixed_batch_that_mixes_its_samples_is_refused(importing: Importing) -> None:
    nodes = [*conv(), node("ReduceMean", "f", "m", axes=[0], keepdims=1), node("Sub", "f m", "g")]
    nodes += [node("Add", "g m", "h"), node("Sub", "h m", "k"), node("Gemm", "k w b", "y")]
    data = graphs.model(nodes, {**CONV, "w": WEIGHTS, "b": BIAS}, shape=(1, 3, 16, 16))
    with pytest.raises(ModelError, match="answers otherwise in a batch of 3 than one by one"):
        importing(data)


def test_an_old_opset_is_brought_up_to_date(importing: Importing) -> None:
    made = importing(graphs.logits(opset=11))
    assert made.head.dim == 8


def test_a_text_model_is_averaged_over_what_its_mask_lets_through(importing: Importing) -> None:
    table = np.random.default_rng(0).standard_normal((20, 6)).astype(np.float32)
    data = graphs.model(
        [node("Gather", "table x", "e"), node("Mul", "mask zero", "none"),
         node("Cast", "none", "n", to=1), node("Unsqueeze", "n last", "u"), node("Add", "e u", "y")],
        {"table": table, "zero": np.int64(0), "last": np.array([2], np.int64)},
        shape=("batch", "length"), dtype=TensorProto.INT64,
        more_inputs={"mask": (TensorProto.INT64, ("batch", "length"))},
    )  # fmt: skip
    made = importing(data, specs={n: ArraySpec((5,), np.dtype(np.int64)) for n in ("x", "mask")})
    ids = np.array([[1, 2, 3], [4, 5, 6]])
    mask = np.array([[1, 1, 0], [1, 1, 1]])
    emb = Encoder(made.onnx, providers=("cpu",)).embed({"x": ids, "mask": mask})
    np.testing.assert_allclose(emb, [table[[1, 2]].mean(0), table[[4, 5, 6]].mean(0)], atol=1e-6)
    assert importing.heard("averaged over the steps that mask lets through")


def test_classes_in_another_order_are_put_in_the_pipelines(importing: Importing) -> None:
    data = graphs.logits()
    made = importing(data, model_classes=("c", "a", "b"))
    wanted = softmax(original(data, {"x": pixels().astype(np.float32) / 255}))[:, [1, 2, 0]]
    np.testing.assert_allclose(probabilities(made, pixels()), wanted, atol=1e-5)


def test_a_part_of_the_models_classes_is_picked(importing: Importing) -> None:
    made = importing(graphs.logits(), classes=("b", "c"), model_classes=("a", "b", "c"))
    np.testing.assert_array_equal(made.head.weights_MDC[0], WEIGHTS[:, 1:])
    assert importing.heard("2 of the model's 3 classes")


def test_another_number_of_classes_makes_a_new_head(importing: Importing) -> None:
    made = importing(graphs.logits(), classes=("a", "b", "c", "d"))
    assert (made.head.dim, made.head.classes, made.known) == (8, 4, False)
    assert importing.heard("the model answers 3 classes, the pipeline has 4: a new head")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"model_classes": ("a", "b")}, "--classes: 2 names, the model answers 3"),
        ({"model_classes": ("a", "b", "x")}, "'c' of the pipeline is not among them"),
        ({"mean": (0.1, 0.2)}, "--mean: 2 numbers for 3 channels"),
        ({"std": (0.0,)}, "--std: must be positive"),
    ],
)
def test_a_wrong_option_is_told(importing: Importing, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        importing(graphs.logits(), **options)


def test_what_is_no_onnx_file_is_told(importing: Importing, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"mine.onnx: is no ONNX model"):
        importing(b"garbage")
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        import_model(str(tmp_path / "none.onnx"), Options(classes=ABC))
    with pytest.raises(ConfigError, match=r"is no model; give a .onnx file, or torch:NAME"):
        import_model("model.pt", Options(classes=ABC))


def test_given_samples_that_do_not_fit_are_told(importing: Importing) -> None:
    with pytest.raises(ModelError, match="reads x uint8 3x16x16, the transform makes x uint8 1x8x8"):
        importing(graphs.logits(), samples={"image": pixels(4, (1, 8, 8))})


def test_the_check_runs_on_given_samples(importing: Importing) -> None:
    importing(graphs.logits(), samples={"image": pixels(7)})
    assert importing.heard("checked on 7 samples")


@pytest.mark.parametrize("words", ["3x", "a=b=c", "3x32:nothing", ""])
def test_an_input_that_is_written_wrong_is_told(words: str) -> None:
    with pytest.raises(ConfigError, match="write it as 3x224x224"):
        InputOption.parse(words)
