"""An encoder: the spare one for every image size, and one clear sentence for what does not fit."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from siftstream.models.cnn import cnn_onnx, layers, spare_cnn, spare_weights
from siftstream.models.encoder import Encoder
from siftstream.models.settings import RuntimeSettings
from siftstream.schemas import ModelInput
from siftstream.schemas.errors import InferenceError, ModelError

CPU = ("cpu",)


def graph(
    op: str, dtype: int = TensorProto.FLOAT, made: int = TensorProto.FLOAT, *, batch: int | str = "batch",
    **attributes: Any,
) -> bytes:  # fmt: skip
    """An ONNX graph of one operator on [batch, 3]."""
    nodes = helper.make_graph(
        [helper.make_node(op, ["x"], ["y"], **attributes)],
        "test",
        [helper.make_tensor_value_info("x", dtype, [batch, 3])],
        [helper.make_tensor_value_info("y", made, None)],
    )
    model = helper.make_model(nodes, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def quantised() -> bytes:
    """A small dense encoder in int8: weights and activations between quantise and dequantise nodes."""
    rng = np.random.default_rng(0)
    weight = rng.integers(-100, 100, (3, 5)).astype(np.int8)
    constants = {"scale": np.float32(0.05), "zero": np.int8(0), "w8": weight, "wscale": np.float32(0.01)}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["x8"]),
        helper.make_node("DequantizeLinear", ["x8", "scale", "zero"], ["xf"]),
        helper.make_node("DequantizeLinear", ["w8", "wscale", "zero"], ["wf"]),
        helper.make_node("MatMul", ["xf", "wf"], ["embedding"]),
    ]
    made = helper.make_graph(
        nodes,
        "int8",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 5])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def images(count: int = 4, shape: tuple[int, ...] = (1, 8, 8)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *shape)).astype(np.uint8)


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 48, 20), (3, 64, 64)])
def test_the_spare_cnn_reads_images_of_every_size(shape: tuple[int, int, int]) -> None:
    encoder = Encoder(spare_cnn(shape, dim=16), providers=CPU)
    assert encoder.inputs == {"input": ModelInput(shape=shape, dtype="uint8")}
    assert encoder.dim == 16
    assert encoder.embed(images(3, shape)).shape == (3, 16)


def test_the_spare_cnn_is_the_same_bytes_for_the_same_seed() -> None:
    assert spare_cnn((1, 8, 8), seed=3) == spare_cnn((1, 8, 8), seed=3)
    assert spare_cnn((1, 8, 8), seed=3) != spare_cnn((1, 8, 8), seed=4)


def test_the_spare_cnn_puts_like_images_near_each_other() -> None:
    rng = np.random.default_rng(0)
    originals = rng.integers(0, 256, (20, 1, 8, 8))
    noisy = np.clip(originals + rng.integers(-10, 11, originals.shape), 0, 255)
    encoder = Encoder(spare_cnn((1, 8, 8)), providers=CPU)
    ours, theirs = encoder.embed(originals.astype(np.uint8)), encoder.embed(noisy.astype(np.uint8))
    distances = np.linalg.norm(ours[:, None] - theirs[None], axis=2)
    assert (distances.argmin(axis=1) == np.arange(20)).all()


def test_brightness_and_contrast_do_not_matter_because_the_graph_normalises() -> None:
    encoder = Encoder(spare_cnn((1, 8, 8)), providers=CPU)
    dark = images() // 4
    np.testing.assert_allclose(encoder.embed(dark), encoder.embed(dark * 3 + 40), atol=0.02)


def test_a_blank_image_has_a_finite_embedding() -> None:
    encoder = Encoder(spare_cnn((1, 8, 8)), providers=CPU)
    assert np.isfinite(encoder.embed(np.full((1, 1, 8, 8), 255, np.uint8))).all()


def test_a_sample_is_embedded_the_same_alone_and_in_a_batch() -> None:
    encoder = Encoder(spare_cnn((1, 8, 8)), providers=CPU)
    batch = images(16)
    alone = np.concatenate([encoder.embed(batch[at : at + 1]) for at in range(16)])
    np.testing.assert_allclose(encoder.embed(batch), alone, atol=1e-4)


def test_an_empty_batch_is_no_error() -> None:
    assert Encoder(spare_cnn((1, 8, 8)), providers=CPU).embed(images(0)).shape == (0, 64)


def test_inputs_of_another_shape_are_refused_in_one_sentence() -> None:
    encoder = Encoder(spare_cnn((1, 8, 8)), providers=CPU)
    with pytest.raises(InferenceError, match=r"\[1, 9, 8\] a sample, \[1, 8, 8\] expected"):
        encoder.embed(images(2, (1, 9, 8)))
    with pytest.raises(InferenceError, match="do not fit together"):
        encoder.embed(images(2, (8, 8)))


def test_inputs_of_another_type_are_refused() -> None:
    with pytest.raises(InferenceError, match="type float64, uint8 expected"):
        Encoder(spare_cnn((1, 8, 8)), providers=CPU).embed(np.zeros((1, 1, 8, 8)))


def test_an_embedding_that_is_not_finite_names_the_sample() -> None:
    encoder = Encoder(graph("Log"), providers=CPU)
    inputs = np.ones((3, 3), np.float32)
    inputs[1] = -1.0
    with pytest.raises(InferenceError, match="sample 1 of the batch is not finite"):
        encoder.embed(inputs)


def test_the_embedding_size_is_probed_where_the_graph_does_not_say_it() -> None:
    assert Encoder(graph("Relu"), providers=CPU).dim == 3


@pytest.mark.parametrize(
    ("onnx", "reason"),
    [
        (b"garbage", "no ONNX model"),
        (b"", "no ONNX model"),
        (graph("Relu", batch=1), "free batch axis"),
        (graph("Flatten", axis=0), "embeddings of shape|output of shape"),
    ],
)
def test_what_is_no_encoder_is_refused(onnx: bytes, reason: str) -> None:
    with pytest.raises((ModelError, InferenceError), match=reason):
        Encoder(onnx, providers=CPU).embed(np.ones((2, 3), np.float32))


def test_an_unknown_provider_is_named() -> None:
    with pytest.raises(ModelError, match="'gpu' is not one of tensorrt, cuda, cpu"):
        Encoder(spare_cnn((1, 8, 8)), providers=("gpu",))


def test_an_int8_graph_runs_like_any_other_and_says_what_it_is() -> None:
    encoder = Encoder(quantised(), providers=CPU)
    inputs = np.array([[0.5, -0.25, 1.0], [2.0, 0.0, -1.5]], np.float32)
    weight = np.random.default_rng(0).integers(-100, 100, (3, 5)).astype(np.float32) * 0.01
    np.testing.assert_allclose(encoder.embed(inputs), inputs @ weight, atol=0.1)
    assert (encoder.precision, encoder.dim) == ("int8", 5)


def test_half_precision_is_not_asked_of_an_int8_graph() -> None:
    settings = RuntimeSettings(providers=CPU, precision="fp16")
    assert Encoder(quantised(), settings).precision == "int8"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64])
def test_a_graph_may_read_any_kind_of_number(dtype: type) -> None:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    encoder = Encoder(graph("Cast", kind, to=TensorProto.FLOAT), providers=CPU)
    embeddings = encoder.embed(np.ones((2, 3), dtype))
    assert (embeddings.dtype, embeddings.tolist()) == (np.float32, [[1, 1, 1]] * 2)


def test_a_graph_of_half_precision_gives_ordinary_embeddings() -> None:
    encoder = Encoder(
        graph("Cast", TensorProto.FLOAT, TensorProto.FLOAT16, to=TensorProto.FLOAT16), providers=CPU
    )
    embeddings = encoder.embed(np.full((2, 3), 0.5, np.float32))
    assert (encoder.precision, embeddings.dtype, float(embeddings.max())) == ("fp16", np.float32, 0.5)


def test_a_batch_that_is_contiguous_is_not_copied_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[np.ndarray] = []
    run = onnxruntime.InferenceSession.run

    def noted(session: Any, names: Any, feed: Any) -> Any:
        given.extend(feed.values())
        return run(session, names, feed)

    encoder, batch = Encoder(spare_cnn((1, 8, 8)), providers=CPU), images(4)
    monkeypatch.setattr(onnxruntime.InferenceSession, "run", noted)
    encoder.embed(batch)
    encoder.embed(batch[::2])
    assert np.shares_memory(given[0], batch)
    assert given[1].flags.c_contiguous


def test_weights_that_do_not_fit_the_input_are_refused() -> None:
    weights = spare_weights(0, (1, 8, 8))
    with pytest.raises(ModelError, match=r"weight conv0.weight of shape \[32, 3, 3, 3\] expected"):
        cnn_onnx(weights, (3, 8, 8))
    with pytest.raises(ModelError, match="nothing given"):
        cnn_onnx({}, (1, 8, 8))


@pytest.mark.parametrize("shape", [(8, 8), (1, 3, 8), (0, 8, 8), (1, 8, 8, 3)])
def test_what_is_no_image_is_refused_by_the_built_in_cnn(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="give another encoder"):
        layers(shape)
