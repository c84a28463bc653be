"""Static int8: smaller, nearly the same, and refused where it makes no sense."""

from __future__ import annotations

import logging

import numpy as np
import onnx
import pytest

from siftstream.models.cnn import spare_cnn
from siftstream.models.compare import compare
from siftstream.models.encoder import Encoder
from siftstream.models.head import Head
from siftstream.models.loaded import LoadedModel
from siftstream.models.quantize import quantized
from siftstream.schemas.errors import ModelError
from tests.models import graphs
from tests.models.graphs import BIAS, node, pixels


def kinds(data: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_model_from_string(data).graph.node]


@pytest.fixture(scope="module")
def pair() -> tuple[bytes, bytes]:
    encoder = spare_cnn((3, 16, 16), dim=16)
    return encoder, quantized(encoder, {"image": pixels(64)}, batch=24)


def test_a_quantised_encoder_is_smaller_and_embeds_nearly_the_same(pair: tuple[bytes, bytes]) -> None:
    before, after = pair
    assert len(after) < len(before) / 2
    ours, theirs = (Encoder(data, providers=("cpu",)) for data in pair)
    assert (theirs.inputs, theirs.dim) == (ours.inputs, ours.dim)
    a, b = ours.embed(pixels(32)), theirs.embed(pixels(32))
    cosine = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosine.min() > 0.98
    assert (a != b).any()


def test_weights_have_a_scale_a_channel_and_normalisation_stays_floating(pair: tuple[bytes, bytes]) -> None:
    model = onnx.load_model_from_string(pair[1])
    scales = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    assert [32] in [dims for name, dims in scales.items() if "weight_scale" in name]
    found = kinds(pair[1])
    first = found.index("QuantizeLinear")
    assert found.index("Cast") < found.index("Sub") < found.index("Div") < first < found.index("Conv")


def test_the_log_is_as_it_was(pair: tuple[bytes, bytes]) -> None:
    root = logging.getLogger()
    handlers = list(root.handlers)
    quantized(pair[0], {"image": pixels(4)})
    assert (root.disabled, root.handlers) == (False, handlers)


def test_what_is_quantised_already_is_refused(pair: tuple[bytes, bytes]) -> None:
    with pytest.raises(ModelError, match="quantised already; take the fp32 version"):
        quantized(pair[1], {"image": pixels(4)})


@pytest.mark.parametrize(
    ("data", "samples", "sentence"),
    [
        (b"garbage", {"x": pixels()}, "no ONNX graph"),
        (graphs.model([node("Mul", "x b", "y")], {"b": BIAS[:1]}), {"x": pixels()}, "no layer that int8"),
        (graphs.logits(), {"x": pixels(0).astype(np.float32)}, "no samples to calibrate on"),
        (graphs.logits(), {}, "no samples to calibrate on"),
        (graphs.logits(), {"x": pixels()}, "cannot quantise this encoder: .*type"),
        (graphs.logits(), {"x": pixels(), "z": pixels()}, "samples named x, z, the encoder reads x"),
    ],
)  # fmt: skip
def test_what_cannot_be_quantised_is_told(data: bytes, samples: dict[str, np.ndarray], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        quantized(data, samples)


def test_a_comparison_tells_agreement_change_accuracy_and_speed(pair: tuple[bytes, bytes]) -> None:
    rng = np.random.default_rng(0)
    head = Head(rng.standard_normal((1, 16, 3)).astype(np.float32) * 0.1, np.zeros((1, 3), np.float32))
    models = [LoadedModel("v", ("a", "b", "c"), Encoder(data, providers=("cpu",)), head) for data in pair]
    samples = {"image": pixels(20)}
    truth = models[0].predict(samples)[0][:, 0].argmax(axis=1)
    truth[10:] = -1
    found = compare(models[0], models[1], samples, truth, rounds=3)
    assert (found.samples, found.labelled) == (20, 10)
    assert found.accuracy is not None
    assert found.accuracy[0] == 1.0
    assert found.agreement >= 0.8
    assert 0 < found.change < 0.05
    assert found.speed[0] <= found.speed[1] <= found.speed[2]
    same = compare(models[0], models[0], samples, np.full(20, -1), rounds=1)
    assert (same.agreement, same.change, same.accuracy) == (1.0, 0.0, None)
