"""Monte-Carlo dropout at run time: one sample, several passes, each with masks of its own.

After Gal and Ghahramani 2016, section 4: each pass samples a network; together they are a committee. What
stands before the first dropout layer says the same in every pass, so it runs once, where the graph can be
cut there. Masks come from ONNX Runtime's generator, which nobody seeds: two runs differ. The first scores
in the log count, so a repeat changes nothing downstream.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from siftstream.models.encoder import Encoder, Inputs
from siftstream.schemas.errors import ModelError

_WIDEST = 65_536  # numbers a sample between the two parts; more costs more memory than it saves time


@dataclass(frozen=True, eq=False)
class Passes:
    """An encoder whose dropout layers are active, run `count` times a sample."""

    count: int
    trunk: Encoder | None
    """What runs once; none: the graph cannot be cut, so all of it runs `count` times."""
    tail: Encoder

    @classmethod
    def of(cls, onnx: bytes, encoder: Encoder, count: int, opened: Callable[[bytes], Encoder]) -> Self:
        """Cut the graph before its first dropout layers, where that can be done.

        Args:
            onnx: The encoder.
            encoder: The same, opened.
            count: Runs a sample.
            opened: Opens a part as the whole was opened.

        Raises:
            ModelError: no dropout layer is active, so that all passes would say the same.
        """
        parts = _parts(onnx)
        if parts is None:
            return cls(count, None, encoder)
        return cls(count, opened(parts[0]), opened(parts[1]))

    def times(self, count: int) -> Self:
        """Return the same with another number of runs."""
        return replace(self, count=count)

    def embed(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return the embeddings [B, passes, D].

        Raises:
            InferenceError: the inputs are not what the encoder reads, or a run failed.
        """
        if self.trunk is None:
            return np.stack([self.tail.embed(inputs) for _ in range(self.count)], axis=1)
        features_BF = self.trunk.embed(inputs)
        emb = self.tail.embed(np.repeat(features_BF, self.count, axis=0))
        return emb.reshape(len(features_BF), self.count, self.tail.dim)


def _parts(onnx: bytes) -> tuple[bytes, bytes] | None:
    """Return the graph before its first dropout layers and the rest, if one tensor [batch, n] joins them."""
    import onnx as library  # 20 MB that only a model with several passes pays

    model = library.shape_inference.infer_shapes(library.load_model_from_string(onnx))
    random, joints = _random_part(model)
    if not random:
        raise ModelError(
            "encoder: no dropout layer is active, yet the version asks for several passes;"
            " import it again with --mc-dropout"
        )
    if len(joints) != 1:
        return None
    joint = joints.pop()
    entry = next((e for e in (*model.graph.value_info, *model.graph.input) if e.name == joint), None)
    dims = entry.type.tensor_type.shape.dim if entry is not None else ()
    is_float = entry is not None and entry.type.tensor_type.elem_type == library.TensorProto.FLOAT
    if not is_float or len(dims) != 2 or not 0 < dims[1].dim_value <= _WIDEST:
        return None
    inputs = [e.name for e in model.graph.input]
    if joint in inputs:
        return None
    cutter = library.utils.Extractor(model)
    outputs = [e.name for e in model.graph.output]
    parts = cutter.extract_model(inputs, [joint]), cutter.extract_model([joint], outputs)
    for part in parts:
        for entry in (*part.graph.input, *part.graph.output):
            dim = entry.type.tensor_type.shape.dim
            if dim:
                dim[0].dim_param = "batch"
    return parts[0].SerializeToString(), parts[1].SerializeToString()


def _random_part(model: Any) -> tuple[set[str], set[str]]:
    """Return the tensors that dropout changes, and the unchanging ones that lead into them."""
    constants = {tensor.name for tensor in model.graph.initializer}
    random: set[str] = set()
    joints: set[str] = set()
    for node in model.graph.node:  # in topological order, as ONNX demands
        if node.op_type == "Constant":
            constants.update(node.output)
        active = node.op_type == "Dropout" and len(node.input) > 2 and node.input[2] not in ("", *constants)
        if not active and not random.intersection(node.input):
            continue
        read = node.input[:1] if active else node.input  # whether a layer is active is told by its own input
        joints |= {name for name in read if name} - random - constants
        random.update(node.output)
    return random, joints
