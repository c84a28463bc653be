"""The built-in small CNN as data: its layers, its weights, and its ONNX graph without a torch exporter.

A sample [channels, height, width] uint8 is centred and scaled by its own mean and deviation, passes
convolutions with ReLU and max pooling until at most 4 x 4 are left, and a linear layer with ReLU makes
the embedding. Grows with the input: 8 x 8 has two convolutions, 64 x 64 has five.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from siftstream.schemas.errors import ModelError

Weights: TypeAlias = dict[str, NDArray[np.float32]]

EPSILON = 0.1  # grey levels; a blank image becomes zeros instead of amplified noise
_WIDTHS = (32, 64, 64, 96, 128)
_SMALLEST = 4  # rows and columns left before the linear layer


@dataclass(frozen=True)
class Conv:
    """One 3 x 3 convolution, padded, with ReLU; `pool` halves height and width after it."""

    name: str
    channels_in: int
    channels_out: int
    pool: bool


def layers(input_shape: tuple[int, ...]) -> tuple[tuple[Conv, ...], int]:
    """Return the convolutions for an input, and the number of features that they leave.

    >>> convs, features = layers((1, 8, 8))
    >>> [(c.channels_out, c.pool) for c in convs], features
    ([(32, False), (64, True)], 1024)

    Raises:
        ModelError: not [channels, height, width] with sides of at least 4.
    """
    if len(input_shape) != 3 or input_shape[0] < 1 or min(input_shape[1:]) < _SMALLEST:
        raise ModelError(
            f"cnn: input of shape {list(input_shape)}; the built-in CNN reads [channels, height, width]"
            f" images of at least {_SMALLEST} x {_SMALLEST}; give another encoder for other data"
        )
    channels, height, width = input_shape
    convs = [Conv("conv0", channels, _WIDTHS[0], pool=False)]
    while max(height, width) > _SMALLEST and min(height, width) > 1:
        number = len(convs)
        channels_out = _WIDTHS[min(number, len(_WIDTHS) - 1)]
        convs.append(Conv(f"conv{number}", convs[-1].channels_out, channels_out, pool=True))
        height, width = height // 2, width // 2
    return tuple(convs), convs[-1].channels_out * height * width


def shapes(input_shape: tuple[int, ...], dim: int) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every weight, in the order of the layers."""
    convs, features = layers(input_shape)
    found: dict[str, tuple[int, ...]] = {}
    for conv in convs:
        found[f"{conv.name}.weight"] = (conv.channels_out, conv.channels_in, 3, 3)
        found[f"{conv.name}.bias"] = (conv.channels_out,)
    return {**found, "embed.weight": (dim, features), "embed.bias": (dim,)}


def spare_weights(seed: int, input_shape: tuple[int, ...], dim: int = 64) -> Weights:
    """Return random weights that keep the size of signals through ReLU (He et al. 2015, eq. 10)."""
    rng = np.random.Generator(np.random.PCG64(seed))
    weights: Weights = {}
    for name, shape in shapes(input_shape, dim).items():
        if name.endswith(".bias"):
            weights[name] = np.zeros(shape, np.float32)
        else:
            deviation = np.sqrt(2.0 / np.prod(shape[1:]))
            weights[name] = (rng.standard_normal(shape) * deviation).astype(np.float32)
    return weights


def spare_cnn(input_shape: tuple[int, ...], seed: int = 0, dim: int = 64) -> bytes:
    """Return the encoder that runs before any model exists: random, the same bytes for the same seed.

    Random convolutions keep much of what tells images apart, so distances between embeddings serve
    diversity strategies from the first sample on.
    """
    return cnn_onnx(spare_weights(seed, input_shape, dim), input_shape)


def cnn_onnx(weights: Weights, input_shape: tuple[int, ...]) -> bytes:
    """Return the ONNX graph of the CNN: `input` [batch, ...] uint8 in, `embedding` [batch, dim] float32 out.

    Raises:
        ModelError: weights that are missing or of another shape.
    """
    from onnx import TensorProto, helper, numpy_helper  # onnx costs 20 MB; only who builds a graph pays

    dim = len(weights["embed.bias"]) if "embed.bias" in weights else 0
    for name, shape in shapes(input_shape, dim).items():
        if name not in weights or weights[name].shape != shape:
            found = list(weights[name].shape) if name in weights else "nothing"
            raise ModelError(f"cnn: weight {name} of shape {list(shape)} expected, {found} given")
    nodes = [
        helper.make_node("Cast", ["input"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Sub", ["pixels", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "centred"], ["squares"]),
        helper.make_node("ReduceMean", ["squares"], ["variance"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Sqrt", ["variance"], ["deviation"]),
        helper.make_node("Add", ["deviation", "epsilon"], ["divisor"]),
        helper.make_node("Div", ["centred", "divisor"], ["normal"]),
    ]
    last = "normal"
    for conv in layers(input_shape)[0]:
        name = conv.name
        wires = [last, f"{name}.weight", f"{name}.bias"]
        nodes.append(helper.make_node("Conv", wires, [f"{name}.sum"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"{name}.sum"], [f"{name}.out"]))
        last = f"{name}.out"
        if conv.pool:
            pooled = f"{name}.pool"
            nodes.append(helper.make_node("MaxPool", [last], [pooled], kernel_shape=[2, 2], strides=[2, 2]))
            last = pooled
    nodes += [
        helper.make_node("Flatten", [last], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "embed.weight", "embed.bias"], ["embed.sum"], transB=1),
        helper.make_node("Relu", ["embed.sum"], ["embedding"]),
    ]
    constants = {"epsilon": np.array(EPSILON, np.float32), **weights}
    graph = helper.make_graph(
        nodes,
        "siftstream-cnn",
        [helper.make_tensor_value_info("input", TensorProto.UINT8, ["batch", *input_shape])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", dim])],
        [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="siftstream")
    model.ir_version = 8  # of opset 17: older runtimes read it too
    return model.SerializeToString(deterministic=True)
