"""Small encoders for the real worker, good ones and such as go wrong in one way each."""

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

DIM = 4
POISON = 255  # the first pixel at which an encoder may answer NaN


def encoder(
    seed: int = 0, *, channels: int = 1, poison: bool = False, broken: bool = False, one_row: bool = False,
    outputs: tuple[str, ...] = ("embedding",),
) -> bytes:  # fmt: skip
    """Return the ONNX of a linear encoder of 8 x 8 images.

    `poison`: NaN for a sample whose first pixel is `POISON`; `broken`: NaN for every sample; `one_row`: one
    embedding whatever the number of samples; `outputs`: names of outputs, all the same.
    """
    weights = np.random.default_rng(seed).normal(0, 0.01, (channels * 64, DIM)).astype(np.float32)
    node = helper.make_node
    nodes = [
        node("Cast", ["pixels"], ["numbers"], to=TensorProto.FLOAT),
        node("Flatten", ["numbers"], ["flat"]),
        node("MatMul", ["flat", "weights"], ["last"]),
    ]
    last = "last"
    if poison or broken:  # 0 / (POISON - first): NaN where they are equal; times 0 / 0 for all
        nodes += [
            node("Gather", ["flat", "first"], ["pixel"], axis=1),
            node("Sub", ["poison", "pixel"], ["distance"]),
            node("Mul", ["distance", "zero"], ["nothing"]),
            node("Div", ["nothing", "nothing" if broken else "distance"], ["doubt"]),
            node("Add", [last, "doubt"], ["doubted"]),
        ]
        last = "doubted"
    if one_row:
        nodes.append(node("ReduceMean", [last], ["mean"], axes=[0], keepdims=1))
        last = "mean"
    nodes += [node("Identity", [last], [name]) for name in outputs]
    constants: dict[str, Any] = {
        "weights": weights, "first": np.array([0], np.int64), "poison": np.float32(POISON),
        "zero": np.float32(0),
    }  # fmt: skip
    graph = helper.make_graph(
        nodes, "linear",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", channels, 8, 8])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", DIM]) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model.SerializeToString()
