"""The free batch axis: a graph made for a fixed number of samples takes any, where that is sound."""

import numpy as np
from onnx import numpy_helper

from siftstream.models.importing.graph import BATCH, Graph, attribute


def free_batch_axis(graph: Graph) -> int | None:
    """Free the first axis of every input; return the batch size that was fixed, none where it was free.

    Fixed first numbers of reshapes follow it. Whether the graph then treats each sample alone is not known
    before it has run: the check does.
    """
    fixed: int | None = None
    for name in graph.inputs:
        dims = graph.input(name).type.tensor_type.shape.dim
        if dims and dims[0].HasField("dim_value"):
            fixed = dims[0].dim_value
        if dims:
            dims[0].dim_param = BATCH
    if fixed is None:
        return None
    del graph.model.graph.value_info[:]
    for entry in graph.model.graph.output:
        entry.type.tensor_type.ClearField("shape")
    for node in graph.nodes:
        if node.op_type == "Reshape":
            _free_reshape(graph, node, fixed)
    return fixed


def _free_reshape(graph: Graph, node: object, fixed: int) -> None:
    shape_name: str = node.input[1]  # type: ignore[attr-defined]
    shape = graph.constant(shape_name)
    if shape is None or not shape.size or shape[0] != fixed or attribute(node, "allowzero", 0):
        return
    # 0 copies the input's first axis; -1 is what is left over, sound also where that axis is another
    freed = np.array(shape, np.int64)
    freed[0] = 0 if -1 in shape else -1
    name = f"{shape_name}/free"
    if graph.constant(name) is None:
        graph.model.graph.initializer.append(numpy_helper.from_array(freed, name))
    node.input[1] = name  # type: ignore[attr-defined]
