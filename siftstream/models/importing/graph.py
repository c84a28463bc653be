"""An ONNX graph that can be read and changed: producers, constants, new nodes, other outputs."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from siftstream.schemas import ModelInput
from siftstream.schemas.arrays import Arrays
from siftstream.schemas.errors import ModelError

OLDEST, TARGET = 13, 17  # opsets: axes are inputs since the first; older files are brought to the second
LARGEST = 2**31 - 1  # of a protobuf message; ONNX keeps more in files beside it, which no artifact is
BATCH = "batch"


class Graph:
    """One model; names of tensors are strings, as in ONNX."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._made = 0

    @classmethod
    def read(cls, source: bytes | Path) -> Self:
        """Read a model, also one whose weights lie in files beside it; an old opset is brought up to date.

        Raises:
            ModelError: no ONNX model, not readable, too large, or too old.
        """
        where = source.name if isinstance(source, Path) else "the exported model"
        try:
            model = onnx.load(source) if isinstance(source, Path) else onnx.load_model_from_string(source)
        except OSError as error:
            raise ModelError(f"{where}: cannot be read: {error.strerror or error}; give its path") from error
        except Exception as error:  # protobuf's errors share no base but Exception
            raise ModelError(f"{where}: is no ONNX model; give a .onnx file") from error
        if not model.graph.node:
            raise ModelError(f"{where}: is no ONNX model, or one without a single node; give a .onnx file")
        if model.ByteSize() > LARGEST:
            raise ModelError(f"{where}: is larger than 2 GiB, the most that one ONNX file may be")
        return cls(_recent(model, where))

    def copy(self) -> "Graph":
        """Return a copy that can be changed alone."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        return Graph(model)

    @property
    def nodes(self) -> list[Any]:
        """The nodes in topological order."""
        return list(self.model.graph.node)

    @property
    def opset(self) -> int:
        """Version of the operator set."""
        return next((e.version for e in self.model.opset_import if e.domain in ("", "ai.onnx")), 0)

    @property
    def inputs(self) -> dict[str, ModelInput]:
        """What the graph reads, by name: shape without the first axis, dtype. Weights do not count."""
        constants = {tensor.name for tensor in self.model.graph.initializer}
        return {e.name: _spec(e) for e in self.model.graph.input if e.name not in constants}

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs that hold numbers (a scikit-learn classifier also has labels)."""
        floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
        return [
            entry.name
            for entry in self.model.graph.output
            if entry.type.HasField("tensor_type") and entry.type.tensor_type.elem_type in (*floats, 0)
        ]

    @property
    def tensors(self) -> set[str]:
        """Names of all that is computed or read."""
        return {name for node in self.model.graph.node for name in node.output if name} | set(self.inputs)

    def input(self, name: str) -> Any:
        """Return the entry of an input."""
        return next(entry for entry in self.model.graph.input if entry.name == name)

    def producer(self, name: str) -> Any | None:
        """Return the node that makes a tensor, none for inputs and weights."""
        return next((node for node in self.model.graph.node if name in node.output), None)

    def constant(self, name: str) -> NDArray[Any] | None:
        """Return the value of a tensor that never changes: a weight, a constant, either transposed."""
        for tensor in self.model.graph.initializer:
            if tensor.name == name:
                return numpy_helper.to_array(tensor)
        node = self.producer(name)
        if node is None:
            return None
        if node.op_type == "Constant":
            value = attribute(node, "value")
            return None if value is None else numpy_helper.to_array(value)
        if node.op_type in ("Identity", "Transpose"):
            value = self.constant(node.input[0])
            if value is None or node.op_type == "Identity":
                return value
            return value.transpose(attribute(node, "perm"))
        return None

    def weight(self, value: Any, dtype: Any = np.float32) -> str:
        """Add a constant and return its name."""
        name = self._new("constant")
        self.model.graph.initializer.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def add(self, kind: str, inputs: Iterable[str], output: str = "", **attributes: Any) -> str:
        """Append a node and return its output's name."""
        output = output or self._new(kind)
        self.model.graph.node.append(self._node(kind, inputs, output, attributes))
        return output

    def put_before(self, place: Any, nodes: Iterable[tuple[str, list[str], str, dict[str, Any]]]) -> None:
        """Insert nodes (kind, inputs, output, attributes) before another."""
        at = next(number for number, node in enumerate(self.model.graph.node) if node is place)
        for number, node in enumerate(nodes):
            self.model.graph.node.insert(at + number, self._node(*node))

    def rename(self, old: str, new: str) -> None:
        """Let all readers of one tensor read another."""
        for node in self.model.graph.node:
            for place, name in enumerate(node.input):
                if name == old:
                    node.input[place] = new

    def clear_name(self, name: str) -> None:
        """Give the tensor of this name, if there is one, another, so that the name is free."""
        if name in self.inputs or self.constant(name) is not None:
            raise ModelError(f"the model has an input or a weight named {name}; rename it and import again")
        self.name_tensor(name, f"{name}/inner")

    def name_tensor(self, old: str, new: str) -> None:
        """Give a computed tensor another name, where it is made and wherever it is read."""
        for node in self.model.graph.node:
            for place, output in enumerate(node.output):
                if output == old:
                    node.output[place] = new
        self.rename(old, new)

    def set_outputs(self, outputs: dict[str, list[int | str] | None]) -> None:
        """Make these float tensors the only outputs, and drop what they do not need."""
        del self.model.graph.output[:]
        for name, shape in outputs.items():
            entry = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            self.model.graph.output.append(entry)
        self._prune()

    def to_bytes(self) -> bytes:
        """Return the ONNX file."""
        return self.model.SerializeToString(deterministic=True)

    def run(self, names: list[str], inputs: Arrays) -> list[NDArray[Any]]:
        """Return the values of any tensors, whatever the model's outputs are.

        Raises:
            ModelError: ONNX Runtime cannot load or run it.
        """
        import onnxruntime as ort

        probe = self.copy()
        del probe.model.graph.output[:]
        probe.model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
        probe._prune()
        options = ort.SessionOptions()
        options.log_severity_level = 4  # its errors reach us as exceptions as well
        try:
            session = ort.InferenceSession(probe.to_bytes(), options, providers=["CPUExecutionProvider"])
            read = {entry.name for entry in session.get_inputs()}
            values: Any = session.run(names, {name: a for name, a in inputs.items() if name in read})
        except Exception as error:  # ONNX Runtime's errors share no base but Exception
            words = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise ModelError(f"the model does not run in ONNX Runtime: {words}") from error
        return values

    def _new(self, kind: str) -> str:
        self._made += 1
        return f"siftstream/{kind}.{self._made}"

    def _node(self, kind: str, inputs: Iterable[str], output: str, attributes: dict[str, Any]) -> Any:
        return helper.make_node(kind, list(inputs), [output], name=self._new(kind), **attributes)

    def _prune(self) -> None:
        """Drop nodes and weights that no output needs, and shapes that may no longer be true."""
        graph = self.model.graph
        needed = {entry.name for entry in graph.output}
        kept: list[Any] = []
        for node in reversed(graph.node):
            if needed.intersection(node.output):
                kept.append(node)
                needed.update(_read_by(node))
        weights = [tensor for tensor in graph.initializer if tensor.name in needed]
        inputs = [entry for entry in graph.input if entry.name in needed]
        for field, values in ((graph.node, kept[::-1]), (graph.initializer, weights), (graph.input, inputs)):
            copies = [type(value).FromString(value.SerializeToString()) for value in values]
            del field[:]
            field.extend(copies)
        del graph.value_info[:]


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """Return the value of a node's attribute."""
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)


def _read_by(node: Any) -> set[str]:
    """Names that a node reads, those of its branches and loops included."""
    names = set(node.input)
    for entry in node.attribute:
        for graph in ([entry.g] if entry.HasField("g") else []) + list(entry.graphs):
            for inner in graph.node:
                names |= _read_by(inner)
            names |= {output.name for output in graph.output}
    return names


def _spec(entry: Any) -> ModelInput:
    tensor = entry.type.tensor_type
    sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    except (KeyError, TypeError):
        raise ModelError(f"the model's input {entry.name} is no array of numbers") from None
    return ModelInput(shape=tuple(sizes[1:]), dtype=dtype)


def _recent(model: Any, where: str) -> Any:
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), TARGET)
    if opset >= OLDEST:
        return model
    try:
        return onnx.version_converter.convert_version(model, TARGET)
    except Exception as error:  # the converter's errors share no base but Exception
        raise ModelError(
            f"{where}: is of opset {opset}, which cannot be brought to {TARGET}; export it again"
        ) from error
