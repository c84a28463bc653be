"""Small ONNX models in the forms that people have them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(0)
WEIGHTS = RNG.standard_normal((8, 3)).astype(np.float32)
BIAS = RNG.standard_normal(3).astype(np.float32)
KERNEL = (RNG.standard_normal((8, 3, 3, 3)) * 0.3).astype(np.float32)


def model(
    nodes: list[Any],
    weights: dict[str, Any],
    *,
    shape: tuple[int | str, ...] = ("batch", 3, 16, 16),
    dtype: int = TensorProto.FLOAT,
    outputs: tuple[str, ...] = ("y",),
    more_inputs: dict[str, tuple[int, tuple[int | str, ...]]] | None = None,
    opset: int = 17,
) -> bytes:
    inputs = {"x": (dtype, shape), **(more_inputs or {})}
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, kind, list(dims)) for name, (kind, dims) in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return made.SerializeToString()


def node(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
    return helper.make_node(kind, inputs.split(), [output], **attributes)


def conv() -> list[Any]:
    """From `x` to the features `f` [batch, 8]."""
    return [
        node("Conv", "x kernel", "c", pads=[1, 1, 1, 1]),
        node("Relu", "c", "r"),
        node("GlobalAveragePool", "r", "p"),
        node("Flatten", "p", "f", axis=1),
    ]


CONV = {"kernel": KERNEL}


def logits(*, squash: str = "", matmul: bool = False, **options: Any) -> bytes:
    """A plain image classifier, with a linear layer at its end."""
    if matmul:
        nodes = [*conv(), node("MatMul", "f w", "m"), node("Add", "b m", "z")]
        weights = {**CONV, "w": WEIGHTS, "b": BIAS}
    else:
        nodes = [*conv(), node("Gemm", "f w b", "z", transB=1)]
        weights = {**CONV, "w": WEIGHTS.T.copy(), "b": BIAS}
    last = node(squash, "z", "y", axis=-1) if squash == "Softmax" else node(squash or "Identity", "z", "y")
    return model([*nodes, last], weights, **options)


def dropout(rate: float = 0.5, **options: Any) -> bytes:
    """Dropout between the features and the linear layer, as exported for inference."""
    nodes = [*conv(), node("Dropout", "f rate", "d"), node("Gemm", "d w b", "y")]
    return model(nodes, {**CONV, "rate": np.float32(rate), "w": WEIGHTS, "b": BIAS}, **options)


def pixels(count: int = 4, shape: tuple[int, ...] = (3, 16, 16)) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, *shape)).astype(np.uint8)
