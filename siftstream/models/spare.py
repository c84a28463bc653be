"""The encoder that runs before any model exists: random, the same bytes for the same inputs and seed.

Random projections keep much of what tells samples apart (Johnson and Lindenstrauss 1984), so distances
between embeddings serve diversity strategies from the first sample on. Images pass random convolutions;
token ids are looked up in a random table and averaged under their mask; all else is projected.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from siftstream.models.cnn import spare_cnn
from siftstream.schemas.arrays import ArraySpec, Specs
from siftstream.schemas.errors import ModelError

_TABLE = 4096  # rows; a token id takes the row of its remainder
_WIDEST = 16_384  # numbers of a sample that are projected; more are averaged in equal runs first


def spare_encoder(specs: Specs, seed: int = 0, dim: int = 64) -> bytes:
    """Return the ONNX graph for a transform's arrays; `embedding` [batch, dim] float32 out.

    Raises:
        ModelError: arrays that no random encoder is known for.
    """
    first = next(iter(specs.values()))
    if len(specs) == 1 and first.dtype == np.uint8 and len(first.shape) == 3:
        return spare_cnn(first.shape, seed, dim)
    return _Graph(seed, dim).build(specs)


class _Graph:
    """Collects nodes and constants."""

    def __init__(self, seed: int, dim: int) -> None:
        from onnx import helper  # onnx costs 20 MB; only who builds a graph pays

        self._helper = helper
        self._rng = np.random.Generator(np.random.PCG64(seed))
        self._dim = dim
        self._nodes: list[Any] = []
        self._constants: dict[str, NDArray[Any]] = {}

    def build(self, specs: Specs) -> bytes:
        """Return the graph whose embedding is the sum of what each array gives."""
        from onnx import TensorProto, numpy_helper

        masks = {name for name in specs if "mask" in name and len(specs) > 1}
        parts = [
            self._part(name, spec, next(iter(masks), None))
            for name, spec in specs.items()
            if name not in masks
        ]
        if not parts:
            raise ModelError("spare encoder: nothing but a mask to read; name the arrays in `transform`")
        self._add("Sum" if len(parts) > 1 else "Identity", parts, "embedding")
        helper = self._helper
        graph = helper.make_graph(
            self._nodes,
            "siftstream-spare",
            [_value(helper, name, spec) for name, spec in specs.items()],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", self._dim])],
            [numpy_helper.from_array(array, name) for name, array in self._constants.items()],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="siftstream"
        )
        model.ir_version = 8  # of opset 17: older runtimes read it too
        return model.SerializeToString(deterministic=True)

    def _add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(self._helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _constant(self, name: str, values: Any) -> str:
        self._constants[name] = np.asarray(values)
        return name

    def _random(self, name: str, shape: tuple[int, int], scale: float) -> str:
        return self._constant(name, (self._rng.standard_normal(shape) * scale).astype(np.float32))

    def _part(self, name: str, spec: ArraySpec, mask: str | None) -> str:
        tokens = spec.dtype.kind in "iu" and spec.dtype.itemsize >= 4 and len(spec.shape) == 1
        return self._tokens(name, mask) if tokens else self._projected(name, spec)

    def _tokens(self, name: str, mask: str | None) -> str:
        """Average the random rows of the token ids that the mask lets through."""
        float32 = 1  # TensorProto.FLOAT
        ids, size = self._cast(name, 7, "ids"), self._constant(f"{name}.size", np.int64(_TABLE))
        rest = self._add("Mod", [ids, size], f"{name}.rest")
        table = self._random(f"{name}.table", (_TABLE, self._dim), 1.0)
        found = self._add("Gather", [table, rest], f"{name}.rows")  # [batch, length, dim]
        if mask is None:
            return self._add("ReduceMean", [found], f"{name}.out", axes=[1], keepdims=0)
        weights = self._add("Unsqueeze", [self._cast(mask, float32, "weights"),
                                          self._constant(f"{name}.last", np.array([2], np.int64))],
                            f"{name}.weights")  # fmt: skip
        kept = self._add("Mul", [found, weights], f"{name}.kept")
        axis = self._constant(f"{name}.axis", np.array([1], np.int64))
        total = self._add("ReduceSum", [kept, axis], f"{name}.total", keepdims=0)
        size = self._add("ReduceSum", [weights, axis], f"{name}.count", keepdims=0)
        least = self._add("Max", [size, self._constant(f"{name}.one", np.float32(1))], f"{name}.least")
        return self._add("Div", [total, least], f"{name}.out")

    def _cast(self, name: str, kind: int, tag: str) -> str:
        return self._add("Cast", [name], f"{name}.{tag}", to=kind)

    def _projected(self, name: str, spec: ArraySpec) -> str:
        size = int(np.prod(spec.shape, dtype=np.int64))
        if size < 1:
            raise ModelError(f"spare encoder: array {name} has no numbers")
        run = -(-size // _WIDEST)
        flat = self._add("Flatten", [self._cast(name, 1, "numbers")], f"{name}.flat", axis=1)
        if run > 1:
            flat = self._averaged(name, flat, size, run)
            size = -(-size // run)
        weights = self._random(f"{name}.projection", (size, self._dim), size**-0.5)
        return self._add("MatMul", [flat, weights], f"{name}.out")

    def _averaged(self, name: str, flat: str, size: int, run: int) -> str:
        """Average runs of neighbours, so that a long waveform does not need a huge projection."""
        pads = self._constant(f"{name}.pads", np.array([0, 0, 0, -size % run], np.int64))
        padded = self._add("Pad", [flat, pads], f"{name}.padded")
        shape = self._constant(f"{name}.runs", np.array([0, -1, run], np.int64))
        runs = self._add("Reshape", [padded, shape], f"{name}.grouped")
        squares = self._add("Abs", [runs], f"{name}.loud")  # a mean of a wave is nothing, its loudness is not
        return self._add("ReduceMean", [squares], f"{name}.means", axes=[2], keepdims=0)


def _value(helper: Any, name: str, spec: ArraySpec) -> Any:
    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(spec.dtype), ["batch", *spec.shape]
    )
