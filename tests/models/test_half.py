"""Half precision: the same embeddings but for rounding, else fp32, and the conversion is kept."""

import logging
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from siftstream.models import session
from siftstream.models.cnn import spare_cnn
from siftstream.models.encoder import Encoder
from siftstream.models.half import TOLERANCE, drift, probe, to_half
from siftstream.models.settings import RuntimeSettings
from siftstream.schemas import ModelInput
from siftstream.schemas.errors import ModelError
from tests.models.onnx_parts import FakeGpu

SHAPE = (3, 32, 32)
HALF = RuntimeSettings(providers=("cpu",), precision="fp16")


def beyond_half() -> bytes:
    """An encoder whose weights do not fit into float16."""
    constants = {"large": np.full((3, 3), 1e6, np.float32), "small": np.full(1, 1e-6, np.float32)}
    nodes = [
        helper.make_node("MatMul", ["x", "large"], ["a"]),
        helper.make_node("Mul", ["a", "small"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "beyond",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def test_a_converted_encoder_reads_the_same_and_says_nearly_the_same() -> None:
    images = np.random.default_rng(0).integers(0, 256, (16, *SHAPE)).astype(np.uint8)
    exact, half = Encoder(spare_cnn(SHAPE), providers=("cpu",)), Encoder(spare_cnn(SHAPE), HALF)
    assert (exact.precision, half.precision) == ("fp32", "fp16")
    assert (half.inputs, half.dim, half.sha256) == (exact.inputs, exact.dim, exact.sha256)
    assert half.embed(images).dtype == np.float32
    assert 0 < drift(exact.embed(images), half.embed(images)) < TOLERANCE


def test_automatically_it_is_half_on_a_gpu_and_whole_on_the_cpu() -> None:
    onnx, gpu = spare_cnn(SHAPE), FakeGpu("cuda", lacking={"tensorrt": "has no libnvinfer.so.10"})
    assert Encoder(onnx, RuntimeSettings(), machine=gpu.machine).precision == "fp16"
    assert Encoder(onnx, RuntimeSettings(precision="fp32"), machine=gpu.machine).precision == "fp32"
    assert Encoder(onnx, RuntimeSettings(), machine=FakeGpu().machine).precision == "fp32"


def test_an_encoder_that_half_precision_changes_stays_whole_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "siftstream"):
        encoder = Encoder(beyond_half(), HALF)
    assert encoder.precision == "fp32"
    assert np.isfinite(encoder.embed(np.ones((2, 3), np.float32))).all()
    assert "runs in fp32 on cpu: fp16 moves embeddings by" in caplog.text


def test_an_encoder_that_cannot_be_converted_stays_whole(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ModelError, match="cannot be converted to fp16"):
        to_half(b"garbage")
    monkeypatch.setattr(session, "to_half", lambda _: to_half(b"garbage"))
    with caplog.at_level(logging.INFO, "siftstream"):
        assert Encoder(spare_cnn(SHAPE), HALF).precision == "fp32"
    assert "cannot be converted" in caplog.text


def test_a_gpu_that_lacks_a_kernel_for_the_half_graph_runs_the_whole_one() -> None:
    onnx = spare_cnn(SHAPE)
    gpu = FakeGpu("cuda", fails=lambda graph: graph.onnx != onnx)
    encoder = Encoder(onnx, RuntimeSettings(providers=("cuda",)), machine=gpu.machine)
    assert (encoder.choice.provider, encoder.precision) == ("cuda", "fp32")


def test_the_converted_graph_is_kept_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bytes] = []
    monkeypatch.setattr(session, "to_half", lambda onnx: made.append(onnx) or to_half(onnx))
    settings = HALF.model_copy(update={"graph_cache": str(tmp_path)})
    images = np.random.default_rng(0).integers(0, 256, (4, *SHAPE)).astype(np.uint8)
    first, second = Encoder(spare_cnn(SHAPE), settings), Encoder(spare_cnn(SHAPE), settings)
    np.testing.assert_array_equal(first.embed(images), second.embed(images))
    assert len(made) == 1
    Encoder(spare_cnn(SHAPE, seed=1), settings)  # another encoder is another key
    assert len(made) == 2
    for file in tmp_path.glob("*.graph"):
        file.write_bytes(b"damaged")
    assert Encoder(spare_cnn(SHAPE), settings).precision == "fp16"
    assert len(made) == 3


def test_tensorrt_converts_by_itself_and_keeps_one_engine_for_all_batches(tmp_path: Path) -> None:
    onnx, gpu = spare_cnn(SHAPE), FakeGpu("tensorrt")
    settings = RuntimeSettings(graph_cache=str(tmp_path))
    encoder = Encoder(onnx, settings, machine=gpu.machine)
    (graph,) = gpu.on("tensorrt")
    options = dict(graph.options)
    assert (encoder.precision, graph.onnx) == ("fp16", onnx)
    assert options["trt_fp16_enable"] is True
    assert options["trt_profile_max_shapes"] == "input:256x3x32x32"
    assert options["trt_engine_cache_path"] == str(tmp_path / "tensorrt")


def test_the_probe_is_what_an_encoder_reads() -> None:
    batch = probe(
        {"ids": ModelInput(shape=(None,), dtype="int64"), "x": ModelInput(shape=(3,), dtype="float16")}
    )
    assert {name: (array.shape[1:], array.dtype.name) for name, array in batch.items()} == {
        "ids": ((32,), "int64"), "x": ((3,), "float16"),
    }  # fmt: skip
