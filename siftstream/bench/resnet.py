"""A ResNet-18-sized encoder (ImageNet stem, random weights) as an ONNX graph: for speed, not for accuracy.

Layers after He et al. 2016, table 1; batch normalisation counts as folded into the convolutions.
"""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTHS = (64, 128, 256, 512)


class _Graph:
    """Nodes and weights in the making."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._rng = np.random.default_rng(seed)

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def weight(self, array: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name

    def conv(self, x: str, fan_in: int, out: int, size: int, stride: int) -> str:
        scale = np.sqrt(2 / (fan_in * size * size))
        kernel = self.weight(self._rng.normal(0, scale, (out, fan_in, size, size)))
        pads = [size // 2] * 4
        return self.add("Conv", x, kernel, self.weight(np.zeros(out)), strides=[stride, stride], pads=pads)

    def block(self, x: str, fan_in: int, out: int, stride: int) -> str:
        y = self.add("Relu", self.conv(x, fan_in, out, 3, stride))
        y = self.conv(y, out, out, 3, 1)
        if stride != 1 or fan_in != out:
            x = self.conv(x, fan_in, out, 1, stride)
        return self.add("Relu", self.add("Add", x, y))


def resnet18(height: int = 32, width: int = 32, seed: int = 0) -> bytes:
    """Return the encoder: uint8 [batch, 3, height, width] in, `embedding` [batch, 512] out."""
    graph = _Graph(seed)
    x = graph.add("Cast", "inputs", to=TensorProto.FLOAT)
    x = graph.add("Mul", x, graph.weight(np.array(1 / 127.5)))
    x = graph.add("Sub", x, graph.weight(np.array(1.0)))
    x = graph.add("Relu", graph.conv(x, 3, 64, 7, 2))
    x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    fan_in = 64
    for stage, out in enumerate(WIDTHS):
        for block in range(2):
            x = graph.block(x, fan_in, out, 2 if stage and not block else 1)
            fan_in = out
    x = graph.add("GlobalAveragePool", x)
    graph.nodes.append(helper.make_node("Flatten", [x], ["embedding"], axis=1))
    source = helper.make_tensor_value_info("inputs", TensorProto.UINT8, ["batch", 3, height, width])
    target = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 512])
    made = helper.make_graph(graph.nodes, "resnet18", [source], [target], graph.weights)
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(made, opset_imports=opset, ir_version=8).SerializeToString()
